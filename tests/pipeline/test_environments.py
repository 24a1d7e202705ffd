"""Environments that a repository declares, built from a package made here."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from gnomon.errors import NotFoundError, StepFailedError, UsageError
from gnomon.pipeline.dag import Command, Dag, Environment, FunctionRef, Step
from gnomon.pipeline.environments import Declared, built, declared, site_packages
from gnomon.runners.processes import ProcessRunner
from tests.pipeline.projects import write
from tests.pipeline.runs import Lab

STEPS = """
    import sys
    import tinypack

    def versions():
        try:
            import msgspec
        except ImportError:
            ours = False
        else:
            ours = True
        return {"tinypack": tinypack.VERSION, "prefix": sys.prefix, "ours": ours}
    """
BUILD = """
import sys
from pathlib import Path
from gnomon.pipeline.environments import built, declared
wanted = declared(Path(sys.argv[1]))
print(built(wanted, Path(sys.argv[2])).digest)
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "2.0"):
        with zipfile.ZipFile(folder / f"tinypack-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tinypack.py", f"VERSION = '{version}'\n")
            wheel.writestr("json_of_ours.py", "")
            info = f"tinypack-{version}.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinypack\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(
                f"{info}/RECORD", f"tinypack.py,,\njson_of_ours.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
            )
    return folder


def requires(project: Path, wheels: Path, *lines: str) -> Declared:
    text = "\n".join(("--no-index", f"--find-links {wheels}", *lines))
    write(project, {"requirements.txt": text, "steps.py": STEPS})
    wanted = declared(project)
    assert wanted is not None
    return wanted


def test_steps_run_with_the_packages_of_their_repository(tmp_path: Path, wheels: Path) -> None:
    runner = ProcessRunner(2)
    lab = Lab(tmp_path, runner)

    def run(name: str, environment: Environment) -> tuple[str, str]:
        function = Step("function", FunctionRef(lab.project, "steps.py", "versions"), environment=environment)
        command = Step(
            "command",
            Command(lab.project, ("python", "-c", "import tinypack; print(tinypack.VERSION)")),
            environment=environment,
        )
        records = lab.run(Dag((function, command)), name)
        assert [record.error for record in records.values()] == ["", ""]
        told = lab.value(records["function"])
        if records["function"].state == "done":
            assert Path(told["prefix"]) == environment.python.parent.parent
        assert not told["ours"], "a package that they did not ask for"
        log = records["command"].log
        if log is not None:
            assert lab.objects.get(log).decode().strip() == told["tinypack"]
        return told["tinypack"], records["function"].state

    one = built(requires(lab.project, wheels, "tinypack==1.0"), tmp_path / "environments")
    assert run("first", one) == ("1.0", "done")
    commented = built(requires(lab.project, wheels, "tinypack==1.0  # as ever"), tmp_path / "environments")
    assert (commented.digest, commented.python) != (one.digest, one.python)
    assert commented.digest == one.digest
    assert run("second", commented)[0] == "1.0"
    two = built(requires(lab.project, wheels, "tinypack==2.0"), tmp_path / "environments")
    assert run("third", two) == ("2.0", "done")
    assert run("fourth", one) == ("1.0", "cached")
    runner.close()


def test_an_environment_is_built_once_by_many_builders_and_again_after_one_that_was_killed(
    tmp_path: Path, wheels: Path
) -> None:
    wanted = requires(tmp_path / "project", wheels, "tinypack")
    folder = tmp_path / "environments"
    arguments = [sys.executable, "-c", BUILD, str(wanted.root), str(folder)]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 20
        while not any(folder.glob("*-cpython-*/bin/python")) and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        killed.kill()
    builders = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = {builder.communicate(timeout=60)[0] for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    environment = built(wanted, folder)
    assert told == {f"{environment.digest}\n"}
    assert len(list(folder.glob("*.json"))) == 1
    assert any(Path(path, "tinypack.py").exists() for path in site_packages(environment))
    before = environment.python.lstat().st_mtime_ns
    assert built(wanted, folder) == environment
    assert environment.python.lstat().st_mtime_ns == before


def test_what_cannot_be_installed_is_told_in_the_installers_words(tmp_path: Path, wheels: Path) -> None:
    wanted = requires(tmp_path / "project", wheels, "tinypack==9.9")
    with pytest.raises(StepFailedError, match=r"(?s)the environment cannot be built: .*tinypack==9\.9") as caught:
        built(wanted, tmp_path / "environments")
    assert "mend" not in caught.value.cause
    assert not any((tmp_path / "environments").glob("*.json"))
    assert not any((tmp_path / "environments").glob("*/bin"))


def test_a_password_of_the_index_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    write(tmp_path, {"requirements.txt": "--index-url http://me:hunter2@127.0.0.1:9/simple\ntinypack\n"})
    wanted = declared(tmp_path)
    assert wanted is not None
    with pytest.raises(StepFailedError) as caught:
        built(wanted, tmp_path / "environments")
    assert "hunter2" not in str(caught.value)


def test_a_repository_without_a_lock_file_runs_in_ours(tmp_path: Path) -> None:
    assert declared(tmp_path) is None


def test_the_lock_file_comes_before_requirements_and_included_files_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "-r more/base.txt\n-c https://example.org/x.txt\n",
            "more/base.txt": "-c pins.txt\n",
            "more/pins.txt": "a==1\n",
        },
    )
    first = declared(tmp_path)
    assert first is not None
    assert first.files == ("requirements.txt", "more/base.txt", "more/pins.txt")
    write(tmp_path, {"more/pins.txt": "a==2\n"})
    second = declared(tmp_path)
    assert second is not None
    assert second.digest != first.digest
    write(tmp_path, {"uv.lock": "version = 1\n", "pyproject.toml": "[project]\nname='x'\n"})
    locked = declared(tmp_path)
    assert locked is not None
    assert locked.files == ("uv.lock", "pyproject.toml")
    assert declared(tmp_path, "requirements.txt") == second
    write(tmp_path, {".python-version": "3.13\n"})
    chosen = declared(tmp_path, "requirements.txt")
    assert chosen is not None
    assert chosen.digest != second.digest


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("requirements.txt", "-e .\n", "installs -e ., a folder"),
        ("requirements.txt", "numpy\n./vendored\n", "installs ./vendored, a folder"),
        ("requirements.txt", "mine @ file:///srv/mine\n", "a folder"),
        ("requirements.txt", "-r ../outside.txt\n", "lies outside of the repository"),
        ("requirements.txt", "-r gone.txt\n", "there is no gone.txt"),
        ("environment.yaml", "name: x\n", "declares no environment"),
    ],
)
def test_what_declares_no_environment_is_refused(tmp_path: Path, file: str, text: str, words: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises((UsageError, NotFoundError), match=words):
        declared(tmp_path, file)


@pytest.mark.skipif(shutil.which("uv") is None, reason="a uv.lock needs uv")
def test_a_locked_project_is_installed_from_its_lock(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    project = tmp_path / "project"
    write(
        project,
        {
            "pyproject.toml": '[project]\nname = "theirs"\nversion = "1"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["tinypack"]\n[tool.uv]\nno-index = true\nfind-links = ["{wheels}"]\n'
        },
    )
    subprocess.run(["uv", "lock", "--quiet", "--project", str(project)], check=True, env={**os.environ, "UV_OFFLINE": "1"})
    wanted = declared(project)
    assert wanted is not None
    environment = built(wanted, tmp_path / "environments")
    assert any(Path(path, "tinypack.py").exists() for path in site_packages(environment))
    assert {path.name for path in project.iterdir()} == {"pyproject.toml", "uv.lock"}
