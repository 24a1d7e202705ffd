"""One Git process: its deadline, its output, its environment."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.errors import RepositoryError
from gnomon.stores.repositories.process import GitTimeoutError, git_environment, require_git, run_git

SECOND = timedelta(seconds=1)


@pytest.fixture
def fake_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    require_git.cache_clear()
    yield folder / "git"
    require_git.cache_clear()


def script(place: Path, text: str) -> None:
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)


def test_a_process_and_all_that_it_started_ends_at_the_deadline(fake_git: Path, tmp_path: Path) -> None:
    script(fake_git, f"sleep 1000 &\necho $! > {tmp_path}/child\nwait")
    started = time.monotonic()
    with pytest.raises(GitTimeoutError):
        run_git(["x"], os.environ, timedelta(seconds=0.5))
    assert time.monotonic() - started < 5
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    deadline = time.monotonic() + 5
    while child.exists() and child.read_text().split(")")[1].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_closes_its_pipes_and_stays_ends_at_the_deadline(fake_git: Path) -> None:
    script(fake_git, "exec sleep 1000 <&- >&- 2>&-")
    with pytest.raises(GitTimeoutError):
        run_git(["x"], os.environ, timedelta(seconds=0.3))


def test_a_daemon_that_keeps_the_pipes_is_not_waited_for(fake_git: Path, tmp_path: Path) -> None:
    script(fake_git, f"sleep 1000 &\necho $! > {tmp_path}/daemon\necho done")
    started = time.monotonic()
    try:
        completed = run_git(["x"], os.environ, timedelta(seconds=30))
    finally:
        subprocess.run(["kill", (tmp_path / "daemon").read_text().strip()], check=True)
    assert completed.stdout == b"done\n"
    assert time.monotonic() - started < 10


def test_more_output_than_fits_is_refused(fake_git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.stores.repositories.process._OUTPUT_LIMIT_BYTES", 1 << 20)
    script(fake_git, "exec cat /dev/zero")
    with pytest.raises(RepositoryError, match="larger than 1 MiB"):
        run_git(["x"], os.environ, timedelta(seconds=30))


def test_of_much_stderr_the_end_is_kept(fake_git: Path) -> None:
    script(fake_git, "head -c 5000000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 3")
    completed = run_git(["x"], os.environ, timedelta(seconds=30))
    assert completed.returncode == 3
    assert completed.stderr.endswith("the end\n")
    assert len(completed.stderr) <= 1 << 16


def test_much_input_and_much_output_do_not_block_each_other(fake_git: Path) -> None:
    script(fake_git, "exec cat")
    content = os.urandom(1 << 16) * 64
    assert run_git(["x"], os.environ, timedelta(seconds=30), stdin=content).stdout == content


def test_input_that_nobody_reads_is_no_error(fake_git: Path) -> None:
    script(fake_git, "exit 0")
    assert run_git(["x"], os.environ, timedelta(seconds=30), stdin=b"x" * (1 << 20)).returncode == 0


@pytest.mark.parametrize("version", ["git version 2.33.9", "git version 1.8.3.1"])
def test_an_old_git_is_named(fake_git: Path, version: str) -> None:
    script(fake_git, f"echo {version}")
    with pytest.raises(RepositoryError, match=r"too old: 2\.34"):
        require_git()


@pytest.mark.parametrize("version", ["git version 2.34.1", "git version 2.39.5 (Apple Git-154)", "git version 3.0.0"])
def test_a_newer_git_will_do(fake_git: Path, version: str) -> None:
    script(fake_git, f"echo '{version}'")
    require_git()


def test_a_missing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    require_git.cache_clear()
    with pytest.raises(RepositoryError, match="git cannot be run"):
        require_git()


def test_the_environment_keeps_what_reaches_remotes_and_drops_what_bends_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "https_proxy", "GIT_SSL_CAINFO"):
        monkeypatch.setenv(name, "kept")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_TRACE_CURL", "GIT_CONFIG_PARAMETERS", "LANGUAGE"):
        monkeypatch.setenv(name, "bent")
    environment = git_environment({"a.b": "c"})
    assert {environment[name] for name in ("GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "https_proxy", "GIT_SSL_CAINFO")} == {"kept"}
    assert "bent" not in environment.values()
    asked = subprocess.run(["git", "config", "a.b"], env=environment, capture_output=True, check=True)
    assert asked.stdout == b"c\n"
