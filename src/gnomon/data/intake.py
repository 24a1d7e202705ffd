"""The whole way of a dataset's rows into Gnomon: list, keep, type, enforce, check. All that is wrong is told at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gnomon.data.checks import run_checks
from gnomon.data.query_batches import Query
from gnomon.data.reading import scan
from gnomon.data.schema import enforce
from gnomon.data.snapshot import Snapshot, take_snapshot
from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import CheckFailedError, DataError
from gnomon.resources.dataset import Dataset, DatasetSpec
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.repositories.interface import TreeEntry

_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Intake:
    """A snapshot that holds what its Dataset declares.

    Args:
        snapshot: The manifest.
        digest: The digest of the manifest, which the object store holds.
        fingerprint: Of the source's files; while `list_files` gives the same, there is nothing to take in.
        known: For the next call: files that stay are not read again.
        paths: Where each of the snapshot's files came from, in its order.
        warnings: What should be looked at, but does not stop anything.
    """

    snapshot: Snapshot
    digest: Digest
    fingerprint: str
    known: Mapping[str, Digest]
    paths: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def rows(self) -> int:
        """The rows of all files together."""
        return self.snapshot.rows


def take_in(
    dataset: Dataset,
    tree: Sequence[TreeEntry],
    objects: ObjectStore,
    export_blob: Callable[[str, Path], None],
    known: Mapping[str, Digest] | None = None,
    scratch: Path | None = None,
    last: Snapshot | None = None,
) -> Intake:
    """Read a dataset's files as they are now, and return a snapshot that holds everything the dataset declares.

    Args:
        dataset: What is declared.
        tree: The files of the commit.
        objects: Where content and manifest are kept.
        export_blob: Writes a blob of the repository to a file.
        known: ``known`` of the last intake.
        scratch: A folder for what is not in its place yet; the system's where it is None.
        last: The last good snapshot, whose columns bind where no schema is declared.

    Raises:
        CheckFailedError: Checks with ``fail: block`` do not hold, and nothing else is wrong.
        DataError: Files, values or rules are wrong: all of them, with rows and examples.
    """
    files = list_files(dataset.spec.source, tree, key=dataset.spec.key)
    taken = take_snapshot(dataset.spec, files, objects, export_blob, known, scratch, last)
    frame = scan(taken.snapshot, [objects.path(file.digest) for file in taken.snapshot.files])
    warned = _hold_to(dataset.spec, frame)
    return Intake(
        snapshot=taken.snapshot,
        digest=taken.digest,
        fingerprint=fingerprint(files),
        known=taken.known,
        paths=tuple(sorted(file.path for file in files)),
        warnings=taken.warnings + warned + _order_warnings(dataset.spec),
    )


def _order_warnings(spec: DatasetSpec) -> tuple[str, ...]:
    if spec.source.sql is None or Query(spec.source.sql.query, spec.key).is_ordered:
        return ()
    return ("the query names no order, and the same rows in another order are another snapshot: declare key, or add order by",)


def _hold_to(spec: DatasetSpec, frame: pl.LazyFrame) -> tuple[str, ...]:
    """Enforce schema and checks; return the messages of checks that only warn."""
    broken: list[str] = []
    failed: list[str] = []
    warned: list[str] = []
    mend = "correct the data, or change what the dataset declares; the last good snapshot stays"
    broken += [violation.message for violation in enforce(spec, frame)]
    try:
        for result in run_checks(spec.checks, frame):
            if not result.passed:
                (failed if result.fail == "block" else warned).append(result.message)
    except DataError as error:
        broken.append(error.cause)
        mend = error.mend if len(broken) == 1 else mend
    told = broken + failed
    if told:
        more = f"; and {len(told) - _MOST_PROBLEMS} more" if len(told) > _MOST_PROBLEMS else ""
        kind = DataError if broken else CheckFailedError
        raise kind("; ".join(told[:_MOST_PROBLEMS]) + more, mend)
    return tuple(warned)
