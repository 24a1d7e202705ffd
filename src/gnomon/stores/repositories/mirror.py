"""The bare mirror: a copy that may be thrown away and made anew, and that must survive any death of its users."""

import fcntl
import os
import shutil
import time
import weakref
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from gnomon.errors import ConflictError, RepositoryError
from gnomon.stores.repositories.address import RemoteAddress
from gnomon.stores.repositories.failures import MirrorDamagedError, failure, overdue
from gnomon.stores.repositories.process import Completed, GitTimeoutError, git_environment, require_git, run_git

_MARKER = "gnomon-remote"
"""Holds the address that the mirror is a copy of. A folder without it is never removed."""
_LEFTOVERS = ("**/*.lock", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/??/tmp_obj_*", "objects/tmp_objdir-*")
"""What a killed Git leaves behind: locks that stop the next one, and half-written packs that nobody ever removes."""
_SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=3"


class Mirror:
    """A bare repository beside nothing else, and the way to run Git in it.

    Several processes may share it. The first to open it sweeps what a dead one left; the kernel tells who is alive by a lock
    that each holds.

    Args:
        folder: Where it lies; made where it is missing.
        address: What it is a copy of. A mirror of another address is made anew.
        timeout: Deadline of each Git process.

    Raises:
        RepositoryError: Git is missing or too old, or the folder holds something else or cannot be written.
        ConflictError: Another process uses the folder for another address.
    """

    def __init__(self, folder: Path, address: RemoteAddress, timeout: timedelta) -> None:
        require_git()
        self.folder = folder.absolute()
        self.is_damaged = False
        self._address = address
        self._timeout = timeout
        seconds = max(1, round(timeout.total_seconds()))
        settings = {"http.lowSpeedLimit": "1000", "http.lowSpeedTime": str(seconds), **address.settings}
        self._environment = {**git_environment(settings), "GIT_DIR": str(self.folder)}
        try:
            self._open()
        except OSError as error:
            cause = f"the mirror {self.folder} cannot be used: {error.strerror or error}"
            raise RepositoryError(cause, "see that this user may write there and that the disk has room") from error
        self._settle_ssh()

    def git(
        self,
        doing: str,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        stdout_file: IO[bytes] | None = None,
        accepted: tuple[int, ...] = (0,),
        patience: int = 1,
    ) -> Completed:
        """Run Git in the mirror.

        Args:
            doing: What this is for, to name it in an error: "fetching main from https://host/repo".
            arguments: What follows ``git``.
            stdin: What it reads.
            stdout_file: Where its output goes instead of memory.
            accepted: Exit codes that are answers.
            patience: How many times the usual deadline it may take.

        Raises:
            RemoteUnreachableError: The deadline passed, or the remote cannot be reached.
            RepositoryError: Git ended with another exit code.
        """
        timeout = self._timeout * patience
        try:
            completed = run_git(arguments, self._environment, timeout, stdin=stdin, stdout_file=stdout_file)
        except GitTimeoutError:
            raise overdue(doing, timeout.total_seconds()) from None
        if completed.returncode not in accepted:
            error = failure(doing, completed.stderr, self._address.conceal)
            self.is_damaged = self.is_damaged or isinstance(error, MirrorDamagedError)
            raise error
        return completed

    def plain_reference(self, name: str) -> str | None:
        """Return what a reference's own file says, which spares a process; None where it has none, being packed or absent."""
        try:
            return (self.folder / name).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None

    def rebuild(self, object_format: str = "sha1") -> None:
        """Throw the copy away and start an empty one."""
        discarded = self.folder.with_name(f"{self.folder.name}.discarded-{os.getpid()}-{time.monotonic_ns()}")
        if self.folder.exists():
            self.folder.rename(discarded)
        self._initialise(object_format)
        self.is_damaged = False
        shutil.rmtree(discarded, ignore_errors=True)

    def sweep(self, older_than: timedelta) -> None:
        """Remove what killed processes left, unless it is young enough to have a living owner."""
        youngest = time.time() - older_than.total_seconds()
        for pattern in _LEFTOVERS:
            for path in self.folder.glob(pattern):
                try:
                    if path.lstat().st_mtime > youngest:
                        continue
                    if path.is_dir():
                        shutil.rmtree(path)
                    else:
                        path.unlink()
                except FileNotFoundError:
                    continue  # its owner has just finished

    def sweep_abandoned(self) -> None:
        """Remove what no process with a deadline can still own."""
        self.sweep(self._timeout * 12)

    def _open(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder.with_name(f"{self.folder.name}.users"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, lock)
        is_alone = _try_lock(lock)
        marker = self.folder / _MARKER
        if self.folder.exists() and any(self.folder.iterdir()):
            if not marker.is_file():
                raise RepositoryError(
                    f"{self.folder} is not a mirror of ours", "name a folder that is empty or does not exist yet for the mirror"
                )
            if marker.read_text(encoding="utf-8") != self._address.url:
                if not is_alone:
                    raise ConflictError(
                        f"{self.folder} is in use as the mirror of {marker.read_text(encoding='utf-8')}",
                        "give this repository another mirror",
                    )
                self.rebuild()
        if is_alone:
            self.sweep(timedelta(0))
            for discarded in self.folder.parent.glob(f"{self.folder.name}.discarded-*"):
                shutil.rmtree(discarded, ignore_errors=True)
        if not (self.folder / "config").is_file():
            self._initialise("sha1")
        fcntl.flock(lock, fcntl.LOCK_SH)

    def _initialise(self, object_format: str) -> None:
        self.folder.mkdir(exist_ok=True)
        part = self.folder / f"{_MARKER}.part"
        part.write_text(self._address.url, encoding="utf-8")
        part.rename(self.folder / _MARKER)
        arguments = ["init", "--quiet", "--bare", f"--object-format={object_format}", "--template=", str(self.folder)]
        self.git(f"making the mirror {self.folder}", arguments)

    def _settle_ssh(self) -> None:
        """Let ssh never ask anybody and never wait for ever, unless the user has a command of their own."""
        if "://" in self._address.url and not self._address.url.lower().startswith("ssh://"):
            return
        if {"GIT_SSH", "GIT_SSH_COMMAND"} & self._environment.keys():
            return
        own = self.git("reading the user's git settings", ["config", "--get", "core.sshCommand"], accepted=(0, 1)).stdout
        self._environment["GIT_SSH_COMMAND"] = own.decode("utf-8", "replace").strip() or _SSH


def mirrored_address(folder: Path) -> str | None:
    """Return the address that a folder is the mirror of, without credentials; None where it is no mirror."""
    try:
        return (folder / _MARKER).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
