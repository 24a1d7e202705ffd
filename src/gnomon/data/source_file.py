"""What a source comes to: files, each with an identity that changes when its content may have changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FileFormat = Literal["parquet", "csv", "jsonl", "arrow"]

SUPPORTED = ".parquet, .csv, .jsonl and .arrow"


@dataclass(frozen=True)
class SourceFile:
    """One file of a source. ``blob`` is set for a file of the commit, ``local`` for a file of this machine.

    ``identity`` is equal for equal content; where the content may have changed, it differs.
    """

    path: str
    identity: str
    size_bytes: int
    blob: str | None
    local: Path | None
    format: FileFormat

    @property
    def is_compressed(self) -> bool:
        """Whether the content is gzip around the format."""
        return self.path.lower().endswith(".gz")
