"""Where the steps of a run work, and where their output goes meanwhile."""

import os
from pathlib import Path
from typing import NamedTuple

from gnomon.errors import NotFoundError
from gnomon.pipeline.secrets import Censor
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore


class Place(NamedTuple):
    """A folder and a log, which steps have in turn: to make and remove them for each costs more than many a step."""

    scratch: Path
    log: Path


class Places:
    """The places of one run below a workspace that it shares with others.

    Args:
        workspace: See above.
        run: The name of the run.
    """

    def __init__(self, workspace: Path, run: str) -> None:
        self.folder = workspace / "".join(char if char.isalnum() or char in "-_" else "-" for char in run)
        self.compiled = self.folder / "compiled"
        """What the processes of steps have compiled."""
        self._free: list[Place] = []
        self._made = 0

    def take(self) -> Place:
        """Return a place that nobody works at."""
        if self._free:
            return self._free.pop()
        self.compiled.mkdir(parents=True, exist_ok=True)
        self._made += 1
        # Steps of a driver that was killed a moment ago may still write here; nothing of ours has the name of theirs.
        name = f"{os.getpid()}-{self._made}"
        return Place(self.folder / name, self.folder / f"{name}.log")

    def leave(self, place: Place, objects: ObjectStore, censor: Censor) -> Digest | None:
        """Give a place back, and return what was written there, if anything was, without the values of secrets."""
        self._free.append(place)
        try:
            if place.log.stat().st_size:
                censor.file(place.log)
                return objects.put_file(place.log, move=True)
        except (FileNotFoundError, NotFoundError):
            pass  # the process died before its first line
        return None

    def clear(self) -> None:
        """Remove everything."""
        if self.folder.exists():
            import shutil  # noqa: PLC0415 - takes 2 ms, and a run of which everything is known has no places

            shutil.rmtree(self.folder, ignore_errors=True)
        self._free.clear()
