"""What a source comes to: files, each with an identity that changes when its content may have changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gnomon.errors import DataError
from gnomon.resources.dataset import FORMAT_SUFFIXES, Source

FileFormat = Literal["parquet", "csv", "jsonl", "arrow"]

SUPPORTED = ".parquet, .csv, .jsonl and .arrow"


@dataclass(frozen=True)
class SourceFile:
    """One file of a source. ``identity`` is equal for equal content; where the content may have changed, it differs.

    ``blob`` is set for a file of the commit, ``local`` for a file of this machine, ``fetch`` for what must be made first.
    """

    path: str
    identity: str
    size_bytes: int
    blob: str | None
    local: Path | None
    format: FileFormat
    fetch: Callable[[Path | None, Path], None] | None = field(default=None, compare=False, repr=False)
    """Makes the content, out of the file of the commit where there is one, in a new file: a download, a query."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """What the names of its folders say: text by column."""

    @property
    def is_compressed(self) -> bool:
        """Whether the content is gzip around the format."""
        return self.path.lower().endswith(".gz")


def format_of(source: Source, path: str) -> FileFormat:
    """Return what a file of ``source`` is: as declared, else as its name says.

    Raises:
        DataError: Neither tells.
    """
    if source.format is not None:
        return source.format
    for suffix, file_format in FORMAT_SUFFIXES.items():
        if path.lower().endswith(suffix):
            return file_format
    raise DataError(
        f"{path}, which the source {source.files!r} names, has no suffix that tells its format",
        f"{SUPPORTED} are known: narrow the pattern, or declare source.format",
    )
