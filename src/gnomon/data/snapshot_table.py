"""A snapshot becomes one table, for those who take it by a name: the steps of pipelines."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gnomon.data.reading import scan
from gnomon.data.snapshot import Snapshot


def snapshot_table(snapshot: bytes, files: Sequence[Path]) -> pl.DataFrame:
    """Return the rows of a snapshot, file after file, typed as the snapshot says. A step of its own.

    Args:
        snapshot: The manifest.
        files: Where the content of each of its files lies.
    """
    return scan(Snapshot.from_json(snapshot), files).collect()
