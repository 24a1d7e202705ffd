import json
import logging
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from gnomon.cli.log_lines import JsonLines, News, PlainLines
from gnomon.cli.main import main
from gnomon.operator.home import Home, HomeLock
from tests.git_remote import make_remote

FREE = ("--listen", "127.0.0.1:0", "--serve", "127.0.0.1:0")


@pytest.mark.parametrize(
    ("arguments", "code", "cause", "mend"),
    [
        (["--repo", "ABSENT", "--home", "HOME"], 2, "there is no repository at", "give the URL or the path"),
        (["--repo", "foo://x", "--home", "HOME"], 2, "foo:// is not an address", "https"),
        (["--repo", "ssh://a:sesame@h/x", "--home", "HOME"], 2, "carries a password", "ssh key"),
        (["--repo", "REMOTE", "--home", "HOME", "--branch", "a..b"], 2, "cannot be the name of a branch", "main"),
        (["--repo", "REMOTE", "--home", "HOME", "--interval", "soon"], 2, "--interval soon", "30s"),
        (["--repo", "REMOTE", "--home", "FILE/home"], 1, "cannot be an operator's home", "--home"),
        (["--repo", "REMOTE", "--home", "FOREIGN"], 1, "holds files that are no operator's", "--home"),
        (["--repo", "REMOTE", "--home", "HELD"], 1, "an operator (process 4711) already runs", "gnomon down --home"),
        (["--repo", "REMOTE", "--home", "HOME", "--listen", "nowhere"], 2, "'nowhere' is not an address", "HOST:PORT"),
        (["--repo", "REMOTE", "--home", "HOME", "--listen", "0.0.0.0:0"], 2, "nothing guards", "GNOMON_TOKEN"),
        (["--repo", "REMOTE", "--home", "HOME", "--serve", "nowhere"], 1, "nowhere", ""),
        ([], 2, "missing option '--repo'", "see gnomon up --help"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_operated_is_told_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    cause: str,
    mend: str,
) -> None:
    monkeypatch.delenv("GNOMON_TOKEN", raising=False)
    monkeypatch.delenv("GNOMON_REPO", raising=False)
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    remote, foreign, file = make_remote(tmp_path), tmp_path / "foreign", tmp_path / "file"
    foreign.mkdir()
    (foreign / "diary.txt").write_text("mine")
    file.write_text("")
    held = HomeLock(Home(tmp_path / "held"))
    held.acquire({"pid": 4711})
    places = {"REMOTE": remote, "ABSENT": tmp_path / "absent", "HOME": tmp_path / "home", "FOREIGN": foreign}
    places |= {"HELD": tmp_path / "held", "FILE/home": file / "home"}
    mode = foreign.stat().st_mode
    assert main(["up", *(FREE if "--listen" not in arguments else ()), *(str(places.get(a, a)) for a in arguments)]) == code
    told = capsys.readouterr().err
    held.release()
    assert cause in told
    assert mend in told
    assert "sesame" not in told
    assert foreign.stat().st_mode == mode


@pytest.mark.parametrize("home", ["absent", "."])
def test_what_is_no_home_has_nothing_to_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: str) -> None:
    assert main(["down", "--home", str(tmp_path / home)]) == 2
    assert "is not the home of an operator" in capsys.readouterr().err


def test_a_folder_of_other_things_is_not_emptied_for_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    assert main(["demo", "--folder", str(tmp_path)]) == 2
    assert "diary.txt, which is no demo's" in capsys.readouterr().err
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_ctrl_c_ends_the_operator_in_order_and_the_gateway_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At a terminal, with a remote that cannot be reached and a password that nobody must read."""
    home, (ours, terminal) = tmp_path / "home", pty.openpty()
    repo = "http://joe:sesame@127.0.0.1:9/x.git"
    command = [sys.executable, "-m", "gnomon.cli.main", "up", "--repo", repo, "--home", str(home), *FREE, "--interval", "1s"]
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    try:
        about = _until_ready(Home(home), process)
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
        os.killpg(process.pid, signal.SIGINT)  # A terminal sends it to the whole group.
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    told = _all_of(ours)
    assert "sesame" not in arguments + told
    assert "http://**********@127.0.0.1:9/x.git" in arguments
    assert f"operator: http://{about['listen']}  gateway: http://{about['serve']}" in told
    assert "! project/default/project: SourceUnavailable: " in told
    assert "the gateway goes on serving" in told
    assert "Traceback" not in told
    assert httpx.get(f"http://{about['serve']}/v2/health/live", trust_env=False).status_code == 200
    assert main(["down", "--home", str(home)]) == 0
    assert capsys.readouterr().err == "no operator is running\ngateway stopped\n"
    assert not [file for file in home.rglob("*") if file.is_file() and b"sesame" in file.read_bytes()]


def _until_ready(home: Home, process: subprocess.Popen[bytes]) -> dict[str, str]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        about = home.describe()
        if about.get("ready"):
            # Ready comes before the first poll, whose outcome is to be seen as well.
            told = httpx.get(f"http://{about['listen']}/api/v1/source", trust_env=False).json()
            if told.get("error"):
                return about
        time.sleep(0.02)
    raise AssertionError(f"the operator did not come up: {process.poll()}")


def _all_of(terminal: int) -> str:
    told = b""
    while True:
        try:
            told += os.read(terminal, 65536)
        except OSError:  # What a terminal says when its other end is closed.
            os.close(terminal)
            return told.decode()


def _record(event: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"msg": event, "levelno": level, "levelname": logging.getLevelName(level), **fields})
    record.created = 1_772_323_200.0
    return record


def test_programs_read_one_json_object_a_line() -> None:
    line = json.loads(JsonLines().format(_record("pass", revision="abc", took=Path("x"))))
    assert line == {"at": "2026-03-01T00:00:00.000+00:00", "level": "info", "event": "pass", "revision": "abc", "took": "x"}


def test_a_person_reads_what_happened_to_what() -> None:
    event = _record("event", resource="service/default/rides", reason="Serving", text="v1 \x1b[31mserves\nnow", run=None)
    assert PlainLines().format(event).endswith("   service/default/rides: Serving: v1  [31mserves now")
    failed = _record("action_failed", logging.ERROR, action="prune x", cause="no", mend="do")
    assert PlainLines().format(failed).endswith(" ! action failed: no (do)  action=prune x")


def test_a_person_is_told_nothing_twice() -> None:
    news = News()
    warning = _record("mirror_not_packed", logging.WARNING, cause="no room")
    assert [bool(news.filter(warning)) for _ in range(3)] == [True, False, False]
    assert not news.filter(_record("pass", revision="abc"))
    assert News(everything=True).filter(_record("pass", revision="abc"))


def test_a_level_that_is_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNOMON_LOG", "loud")
    assert main(["up", "--repo", str(tmp_path), "--home", str(tmp_path / "home")]) == 2
    assert "GNOMON_LOG is 'LOUD', which is no level" in capsys.readouterr().err
