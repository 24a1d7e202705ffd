"""The repository against remotes on a network: passwords, silence, refusal, sudden death."""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from gnomon.errors import RemoteUnreachableError, RepositoryError
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import FileChange, Identity
from tests.git_remote import Clone, HttpRemote, black_hole, dripping_server, install_hook, make_remote, run_git, tip

OPERATOR = Identity("gnomon", "gnomon@example.com")
PASSWORD = "s3cret/wörd@x"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return make_remote(tmp_path)


@pytest.fixture
def http(remote: Path) -> Iterator[HttpRemote]:
    with HttpRemote(remote.parent, "ada", PASSWORD) as site:
        yield site


def open_repository(url: str, tmp_path: Path, seconds: float = 20, mirror: str = "mirror.git") -> GitRepository:
    return GitRepository(url, "main", tmp_path / mirror, timedelta(seconds=seconds))


def quoted_url(http: HttpRemote) -> str:
    return http.url(password="s3cret%2Fw%C3%B6rd%40x")


def push_one(repository: GitRepository, path: str = "x", content: bytes = b"1") -> tuple[str, str, str]:
    made = repository.commit(repository.fetch(), [FileChange(path, content)], "Change", OPERATOR)
    result = repository.push(made)
    return made, result.outcome, result.message


def files_below(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_password_opens_the_door_and_is_left_nowhere(http: HttpRemote, remote: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            seen.append(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        repository = open_repository(quoted_url(http), tmp_path)
        made, outcome, _ = push_one(repository)
        repository.remote_head()
    finally:
        is_over.set()
        watcher.join()

    assert outcome == "landed"
    assert tip(remote) == made
    assert repository.url == f"{http.origin}/remote.git"
    token = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    secrets = [PASSWORD, "s3cret", token]
    assert any("git-remote-http" in listing for listing in seen), "nothing was watched"
    assert not any(secret in listing for secret in secrets for listing in seen)
    assert not any(secret.encode() in content for secret in secrets for content in files_below(tmp_path / "mirror.git"))
    assert "s3cret" not in repr(vars(repository)["_address"])


@pytest.mark.parametrize("password", ["", "wr0ngs3cret"])
def test_a_wrong_password_is_refused_at_once_and_not_repeated_in_the_message(
    http: HttpRemote, tmp_path: Path, password: str
) -> None:
    repository = open_repository(http.url(password=password), tmp_path)
    started = time.monotonic()
    for call in (repository.remote_head, repository.fetch):
        with pytest.raises(RepositoryError, match="does not accept these credentials") as caught:
            call()
        assert not isinstance(caught.value, RemoteUnreachableError)
        assert "wr0ngs3cret" not in str(caught.value)
    assert time.monotonic() - started < 10
    assert len(http.requests) <= 6, "an account must not be locked by our tries"


def test_a_push_whose_password_was_changed_is_refused(http: HttpRemote, tmp_path: Path) -> None:
    repository = open_repository(quoted_url(http), tmp_path)
    made = repository.commit(repository.fetch(), [FileChange("x", b"1")], "Change", OPERATOR)
    http.password = "rotated"
    result = repository.push(made)
    assert result.outcome == "refused"
    assert "s3cret" not in result.message


def test_a_server_that_echoes_the_password_does_not_leak_it(http: HttpRemote, remote: Path, tmp_path: Path) -> None:
    install_hook(remote, "pre-receive", f"echo 'no entry for {PASSWORD} at https://ada:{PASSWORD}@host/x' >&2; exit 1")
    _, outcome, message = push_one(open_repository(quoted_url(http), tmp_path))
    assert outcome == "refused"
    assert "no entry for ***" in message
    assert "s3cret" not in message


def test_the_users_own_credential_helper_is_asked_where_the_address_has_none(
    http: HttpRemote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\ntest "$1" = get && printf "username=ada\\npassword=%s\\n" "{PASSWORD}"\nexit 0\n')
    helper.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    _, outcome, _ = push_one(open_repository(f"{http.origin}/remote.git", tmp_path))
    assert outcome == "landed"


def test_a_password_of_the_address_is_never_given_to_the_users_helper(
    http: HttpRemote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "helper"
    helper.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/asked\ncat >> {tmp_path}/asked\n')
    helper.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[credential]\n\thelper = {helper}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert push_one(open_repository(quoted_url(http), tmp_path))[1] == "landed"
    http.password = "rotated"
    with pytest.raises(RepositoryError):
        open_repository(quoted_url(http), tmp_path).fetch()
    assert not (tmp_path / "asked").exists()


def test_a_silent_server_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with black_hole() as url:
        repository = open_repository(url, tmp_path, seconds=0.6)
        for call in (repository.remote_head, repository.fetch):
            started = time.monotonic()
            with pytest.raises(RemoteUnreachableError, match=r"after 0\.6 s"):
                call()
            assert time.monotonic() - started < 3
    assert repository.head() is None


def test_a_server_that_drips_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    with dripping_server() as url:
        repository = open_repository(url, tmp_path, seconds=0.8)
        with pytest.raises(RemoteUnreachableError):
            repository.remote_head()


def test_nothing_of_a_given_up_process_is_left_running(tmp_path: Path) -> None:
    with black_hole() as url:
        repository = open_repository(url, tmp_path, seconds=0.5)
        with pytest.raises(RemoteUnreachableError):
            repository.remote_head()
        deadline = time.monotonic() + 5
        while url in (running := subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout):
            assert time.monotonic() < deadline, running
            time.sleep(0.02)


def test_a_vanished_server_keeps_what_was_fetched(http: HttpRemote, tmp_path: Path) -> None:
    repository = open_repository(quoted_url(http), tmp_path)
    head = repository.fetch()
    made = repository.commit(head, [FileChange("x", b"1")], "Change", OPERATOR)
    http.vanish()
    for call in (repository.remote_head, repository.fetch):
        with pytest.raises(RemoteUnreachableError, match=r"127\.0\.0\.1"):
            call()
    assert repository.push(made).outcome == "unknown"
    assert repository.head() == head
    assert repository.tree(head)
    assert open_repository(quoted_url(http), tmp_path).head() == head


def test_a_vanished_folder_keeps_what_was_fetched(remote: Path, tmp_path: Path) -> None:
    repository = open_repository(str(remote), tmp_path)
    head = repository.fetch()
    remote.rename(tmp_path / "away.git")
    for call in (repository.remote_head, repository.fetch):
        with pytest.raises(RemoteUnreachableError, match=r"remote\.git"):
            call()
    assert repository.head() == head


def test_a_repository_that_is_not_there_is_told(http: HttpRemote, tmp_path: Path) -> None:
    repository = open_repository(f"{quoted_url(http).removesuffix('remote.git')}other.git", tmp_path)
    with pytest.raises(RemoteUnreachableError, match="no repository"):
        repository.fetch()


@pytest.mark.parametrize("cut", ["silent", "midway"])
def test_a_lost_answer_is_not_taken_for_one_and_the_next_fetch_tells(
    http: HttpRemote, remote: Path, tmp_path: Path, cut: Literal["silent", "midway"]
) -> None:
    repository = open_repository(quoted_url(http), tmp_path)
    repository.fetch()
    http.cut_next_push = cut
    made, outcome, _ = push_one(repository)
    assert outcome == "unknown" if cut == "midway" else outcome in {"unknown", "raced"}
    assert tip(remote) == made == repository.fetch()
    assert repository.push(repository.commit(repository.fetch(), [], "Next", OPERATOR)).outcome == "landed"


def test_a_command_for_ssh_is_the_users_own(remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "ssh.log"
    ssh = tmp_path / "fake-ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" >> {log}\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c "$1"\n')
    ssh.chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[core]\n\tsshCommand = {ssh} -F /dev/null\n[ssh]\n\tvariant = ssh\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    repository = open_repository(f"ssh://git@host:2222{remote}", tmp_path)
    assert push_one(repository)[1] == "landed"
    assert "-F /dev/null" in log.read_text()
    assert "-p 2222 git@host" in log.read_text()
    other = open_repository(f"git@host:{remote}", tmp_path, mirror="other.git")
    assert other.fetch() == tip(remote)
    assert other.url == f"git@host:{remote}"


def test_ssh_never_asks_and_never_waits_for_ever(remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/ssh.log\necho "Host key verification failed." >&2\nexit 255\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RepositoryError, match="host key is not the known one"):
        open_repository(f"ssh://host{remote}", tmp_path).remote_head()
    assert "BatchMode=yes" in (tmp_path / "ssh.log").read_text()


KILLED_FETCH = """
import sys, threading, os, signal
from datetime import timedelta
from pathlib import Path
from gnomon.stores.repositories.git import GitRepository
repository = GitRepository(sys.argv[1], "main", Path(sys.argv[2]), timedelta(seconds=60))
threading.Timer(float(sys.argv[3]), os.killpg, (0, signal.SIGKILL)).start()
print("fetching", flush=True)
repository.fetch()
os.killpg(0, signal.SIGKILL)
"""


def test_a_fetch_that_was_killed_is_made_good(remote: Path, tmp_path: Path) -> None:
    ada = Clone(remote, tmp_path / "ada")
    ada.git("config", "core.compression", "0")
    ada.commit_file("big.bin", os.urandom(8 << 20))
    mirror = tmp_path / "mirror.git"
    for after_s in (0.01, 0.03, 0.06):
        arguments = [sys.executable, "-c", KILLED_FETCH, f"file://{remote}", str(mirror), str(after_s)]
        killed = subprocess.run(arguments, start_new_session=True, check=False, capture_output=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    repository = open_repository(f"file://{remote}", tmp_path)
    assert repository.fetch() == tip(remote)
    run_git("fsck", "--connectivity-only", cwd=mirror)


def test_what_a_killed_process_left_is_swept_when_the_mirror_is_opened(remote: Path, tmp_path: Path) -> None:
    first = open_repository(str(remote), tmp_path)
    first.fetch()
    mirror = tmp_path / "mirror.git"
    leftovers = [
        mirror / "refs/gnomon/remote/main.lock",
        mirror / "config.lock",
        mirror / "packed-refs.lock",
        mirror / "objects/pack/tmp_pack_x1",
    ]
    del first  # its lock tells that it lives
    for path in leftovers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    Clone(remote, tmp_path / "ada").commit_file("x", "1")
    repository = open_repository(str(remote), tmp_path)
    assert not any(path.exists() for path in leftovers)
    assert repository.fetch() == tip(remote)


def test_nothing_of_a_living_user_of_the_mirror_is_swept(remote: Path, tmp_path: Path) -> None:
    alive = open_repository(str(remote), tmp_path)
    alive.fetch()
    lock = tmp_path / "mirror.git/refs/gnomon/remote/main.lock"
    lock.write_bytes(b"")
    second = open_repository(str(remote), tmp_path)
    assert lock.exists()
    lock.unlink()
    assert second.fetch() == alive.fetch()


def test_an_old_lock_is_swept_by_the_fetch_that_meets_it(remote: Path, tmp_path: Path) -> None:
    repository = open_repository(str(remote), tmp_path)
    repository.fetch()
    Clone(remote, tmp_path / "ada").commit_file("x", "1")
    lock = tmp_path / "mirror.git/refs/gnomon/remote/main.lock"
    lock.write_bytes(b"")
    os.utime(lock, (1, 1))
    assert repository.fetch() == tip(remote)


@pytest.mark.parametrize("damage", ["empty objects", "no objects", "no refs", "half config"])
def test_a_damaged_mirror_is_made_anew(remote: Path, tmp_path: Path, damage: str) -> None:
    ada = Clone(remote, tmp_path / "ada")
    repository = open_repository(str(remote), tmp_path)
    head = repository.fetch()
    mirror = tmp_path / "mirror.git"
    for path in [path for path in (mirror / "objects").rglob("*") if path.is_file()]:
        if damage == "empty objects":
            path.chmod(0o644)
            path.write_bytes(b"")
        elif damage == "no objects":
            path.unlink()
    if damage == "no refs":
        (mirror / "refs/gnomon/remote/main").write_text("1" * 40)
    if damage == "half config":
        (mirror / "config").write_text("[core\n")
    if damage.endswith("objects"):
        with pytest.raises(RepositoryError):
            repository.tree(head)
    ada.commit_file("x", "1")
    assert repository.fetch() == ada.head()
    assert "x" in [entry.path for entry in repository.tree(repository.fetch())]
    run_git("fsck", "--connectivity-only", cwd=mirror)


def test_a_folder_that_holds_something_else_is_left_alone(remote: Path, tmp_path: Path) -> None:
    precious = tmp_path / "mirror.git" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(RepositoryError, match="not a mirror of ours"):
        open_repository(str(remote), tmp_path)
    assert precious.read_text() == "mine"


def test_a_mirror_of_another_remote_does_not_answer_for_this_one(remote: Path, tmp_path: Path) -> None:
    open_repository(str(remote), tmp_path).fetch()
    other = make_remote(tmp_path, name="other.git")
    Clone(other, tmp_path / "ada").commit_file("x", "1")
    repository = open_repository(str(other), tmp_path)
    assert repository.head() is None
    assert repository.fetch() == tip(other)


def test_packing_now_and_then_loses_nothing(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    often = {"gc.autoDetach": "false", "gc.autoPackLimit": "1", "fetch.unpackLimit": "1"}
    monkeypatch.setattr("gnomon.stores.repositories.git._FETCHES_PER_GC", 3)
    monkeypatch.setattr("gnomon.stores.repositories.process._FIXED_SETTINGS", often)
    ada = Clone(remote, tmp_path / "ada")
    repository = open_repository(str(remote), tmp_path)
    for number in range(5):
        ada.commit_file("x", str(number))
        assert repository.fetch() == ada.head()
    made = repository.commit(ada_head := repository.fetch(), [FileChange("y", b"1")], "Change", OPERATOR)
    assert len(list((tmp_path / "mirror.git/objects/pack").glob("*.pack"))) == 1
    assert [record.message for record in caplog.records] == []
    assert repository.push(made).outcome == "landed"
    assert ada_head == ada.head()
