"""What an operator's home keeps, opened for looking back: the operator may run meanwhile, and nothing is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from gnomon.errors import NotFoundError, RepositoryError
from gnomon.operator.home import Home
from gnomon.resources.identity import ResourceKey
from gnomon.resources.wording import did_you_mean
from gnomon.stores.artifacts.interface import ArtifactStore
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Records, RunRecord, VersionRecord
from gnomon.stores.records.sql import open_sqlite
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import Repository
from gnomon.stores.repositories.mirror import mirrored_address

_TIMEOUT = timedelta(seconds=60)
_RECENT = 200


@dataclass(frozen=True)
class Kept:
    """The stores of one home."""

    home: Home
    records: Records
    objects: DiskObjectStore
    artifacts: ArtifactStore

    @cached_property
    def repository(self) -> Repository:
        """The mirror of the remote, which itself is not asked.

        Raises:
            RepositoryError: The home has no mirror.
        """
        address = mirrored_address(self.home.mirror)
        if address is None:
            raise RepositoryError(
                f"{self.home.path} has no mirror of a repository", "let `gnomon up` fetch it again, or name another --home"
            )
        return GitRepository(address, str(self.home.describe().get("branch", "main")), self.home.mirror, _TIMEOUT)

    def run(self, run_id: str) -> RunRecord:
        """Return a run. Raises NotFoundError, naming one like it."""
        run = self.records.run(run_id)
        if run is None:
            recent = [known.id for known in self.records.runs(limit=_RECENT)]
            raise NotFoundError(f"there is no run {run_id} in {self.home.path}", did_you_mean(run_id, recent, what="runs"))
        return run

    def version(self, model: ResourceKey, version: int | None) -> VersionRecord:
        """Return a version of a model, the newest where no number is given. Raises NotFoundError."""
        known = self.records.versions(model)
        found = next((each for each in known if version in (None, each.version)), None)
        if found is None:
            told = ", ".join(f"v{each.version}" for each in known[:10])
            what = f"{model} has no version {version}" if known else f"{model} has no version in {self.home.path}"
            raise NotFoundError(what, f"it has {told}" if told else "`gnomon runs` lists what was made")
        return found


@contextmanager
def opened(home: Home) -> Iterator[Kept]:
    """Yield what a home keeps.

    Raises:
        NotFoundError: No operator lived there.
        StoreError: Its records cannot be read.
    """
    if not home.records.is_file():
        raise NotFoundError(f"{home.path} is no operator's home: it has no records", "name the --home of `gnomon up`")
    records = open_sqlite(home.records)
    try:
        yield Kept(home, records, DiskObjectStore(home.objects), OciLayout(home.artifacts))
    finally:
        records.close()
