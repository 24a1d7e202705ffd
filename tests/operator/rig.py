"""An operator put together from its real parts, of which a test carries out the passes: real Git, records, stores, runner."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gnomon.operator.assemble import Assembly, Settings, assemble
from gnomon.operator.home import Home
from gnomon.resources.identity import ResourceKey
from gnomon.serving.process import stop_gateway
from gnomon.stores.records.interface import EventRecord, RunRecord
from tests.git_remote import Clone, make_remote
from tests.operator.states import MANIFESTS, MODEL, SERVICE

DEADLINE_S = 60.0


class Clock:
    """A time that tests set; it moves by itself by a millisecond a look, so that nothing happens at the same time."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        self.now += timedelta(milliseconds=1)
        return self.now


def rows_csv(rows: int, slope: float = 3.0) -> str:
    """Return a table whose target is a line, give or take."""
    lines = [f"{row % 17},{row % 5},{slope * (row % 17) - (row % 5) + (row * 7 % 11) / 10}" for row in range(rows)]
    return "distance,hour,delay\n" + "\n".join(lines) + "\n"


FILES: Mapping[str, str] = {**MANIFESTS, "data/one.csv": rows_csv(120)}


@dataclass
class Rig:
    """One remote, one person, one home, and the operator that a test drives pass by pass."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    assembly: Assembly = field(init=False)

    def __post_init__(self) -> None:
        self.remote = make_remote(self.folder)
        self.person = Clone(self.remote, self.folder / "clone")
        self.home = Home(self.folder / "home")
        self.start()

    def start(self) -> None:
        """Put a new operator together on the home; ask the remote as its loop would."""
        self.home.create()
        settings = Settings(str(self.remote), "main", self.home, "127.0.0.1:0", None, timedelta(seconds=20), workers=1, slots=2)
        self.assembly = assemble(settings, self.clock)
        self.assembly.operator.source.recover()
        self.assembly.operator.source.poll()

    def close(self) -> None:
        """End the operator and its gateway."""
        self.assembly.close()
        stop_gateway(self.home.gateway)

    def push(self, files: Mapping[str, str | None], message: str = "Change") -> str:
        """Commit files as a person (None removes one), and let the operator see them."""
        self.person.pull()
        for path, content in files.items():
            if content is None:
                self.person.remove(path)
            else:
                self.person.write(path, content)
        revision = self.person.commit(message)
        self.person.push()
        self.assembly.operator.source.poll()
        return revision

    def until(self, is_so: Callable[[], bool]) -> None:
        """Carry out passes until something is so."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            self.assembly.operator.run_pass()
            if is_so():
                return
            assert time.monotonic() < deadline, "\n".join(f"{e.reason}: {e.message}" for e in self.events())
            time.sleep(0.02)

    def reason(self, key: ResourceKey) -> str:
        """Return reason and message of a resource's Ready condition."""
        record = self.assembly.records.resource(key)
        ready = record.status.condition("Ready") if record is not None else None
        return f"{ready.status} {ready.reason}: {ready.message}" if ready is not None else "absent"

    def serves(self, version: int) -> bool:
        """Return whether the service is ready with a version."""
        return self.reason(SERVICE).startswith(f"True Serving: v{version} ")

    def events(self, reason: str = "") -> list[EventRecord]:
        """Return the events (of a reason), oldest first."""
        return [event for event in self.assembly.records.events() if reason in ("", event.reason)]

    def runs(self) -> list[RunRecord]:
        """Return the runs of the model, newest first."""
        return list(self.assembly.records.runs(owner=MODEL))
