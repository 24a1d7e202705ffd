"""The operator's home folder: what lies where, and who may write."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import ConflictError

DEFAULT_HOME = Path("~/.gnomon")
LOCK_FILE = "operator.lock"
"""Held by the operator of a home."""


@dataclass(frozen=True)
class Home:
    """One folder that holds everything an operator keeps. Removing it loses runs and versions, never anything in Git."""

    path: Path

    @property
    def records(self) -> Path:
        """The records database."""
        return self.path / "records.db"

    @property
    def objects(self) -> Path:
        """The object store."""
        return self.path / "objects"

    @property
    def artifacts(self) -> Path:
        """The artifact store, an OCI image layout."""
        return self.path / "artifacts"

    @property
    def mirror(self) -> Path:
        """The bare mirror of the remote."""
        return self.path / "mirror.git"

    @property
    def workspaces(self) -> Path:
        """Working folders of runs under way."""
        return self.path / "runs"

    @property
    def scratch(self) -> Path:
        """What is downloaded or unpacked, until the object store has it."""
        return self.path / "scratch"

    @property
    def checkouts(self) -> Path:
        """Code of commits, which steps run from."""
        return self.path / "checkouts"

    @property
    def environments(self) -> Path:
        """Python environments of the user's own."""
        return self.path / "environments"

    @property
    def gateway(self) -> Path:
        """State of the gateway: routes, status, log."""
        return self.path / "gateway"

    @property
    def about(self) -> Path:
        """Who runs here now: process id and addresses, as JSON."""
        return self.path / "operator.json"

    @property
    def is_home(self) -> bool:
        """Whether an operator lived here, as anything that it kept tells; a part of it may be lost."""
        return any(kept.exists() for kept in (self.path / LOCK_FILE, self.records, self.artifacts, self.mirror, self.about))

    def create(self) -> None:
        """Make the folders that are missing, readable by their owner only.

        Raises:
            ConflictError: It cannot be written, or is a folder of something else.
        """
        try:
            if self.path.is_dir() and not self.is_home and any(self.path.iterdir()):
                raise ConflictError(
                    f"{self.path} holds files that are no operator's", "give a new or an empty folder as --home"
                )
            for folder in (self.path, self.workspaces, self.gateway):
                folder.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
        except OSError as error:
            raise ConflictError(
                f"{self.path} cannot be an operator's home: {error.strerror}", "give a folder that you may write as --home"
            ) from error

    def open_lock(self) -> int:
        """Return a descriptor of the lock file, which is made where it is missing."""
        try:
            return os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConflictError(f"{self.path / LOCK_FILE} cannot be opened: {error.strerror}", "check its owner") from error

    def describe(self) -> dict[str, Any]:
        """Return what the last operator of this home wrote about itself, or an empty mapping."""
        try:
            found = json.loads(self.about.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}


class HomeLock:
    """The right to be the operator of a home; the kernel takes it back when the process dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor = -1

    def acquire(self, about: dict[str, Any]) -> None:
        """Take the lock and tell others who holds it.

        Raises:
            ConflictError: Another operator runs on this home.
        """
        self._home.create()
        self._descriptor = self._home.open_lock()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            holder = self._home.describe().get("pid", "unknown")
            raise ConflictError(
                f"an operator (process {holder}) already runs on {self._home.path}",
                f"stop it with `gnomon down --home {self._home.path}`, or give this one another --home",
            ) from error
        self.tell(about)

    def tell(self, about: dict[str, Any]) -> None:
        """Replace what others can read about this operator."""
        part = self._home.about.with_suffix(".part")
        part.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
        part.replace(self._home.about)

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_operated(home: Home) -> bool:
    """Return whether an operator runs on this home now."""
    try:
        descriptor = os.open(home.path / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
