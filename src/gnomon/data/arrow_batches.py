"""Arrow files and streams become batches of rows. One reader serves both forms, a record batch at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import ipc

from gnomon.errors import DataError

_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"
_MEND = "write it anew as an Arrow file or stream, or as Parquet"


def arrow_schema(path: Path, name: str) -> pl.Schema:
    """Return the columns of an Arrow file or stream, with the types that polars has for them.

    Args:
        path: Where the file lies.
        name: What errors call it.

    Raises:
        DataError: It is not such a file, or names a column twice.
    """
    with _reading(path, name) as (_, schema):
        names = schema.names
        doubled = sorted({column for column in names if names.count(column) > 1})
        if doubled:
            raise DataError(f"{name} has more than one column {', '.join(doubled)}", "give every column a name of its own")
        return _frame(schema.empty_table()).schema


def arrow_batches(path: Path, columns: Sequence[str], name: str) -> Iterator[pl.DataFrame]:
    """Yield the rows in order, as frames of these columns.

    Raises:
        DataError: The file is not whole, or its content does not fit its form.
    """
    with _reading(path, name, columns) as (batches, _):
        for batch in batches:
            batch.validate(full=True)
            yield _frame(pa.Table.from_batches([batch])).select(columns)


@contextmanager
def _reading(
    path: Path, name: str, columns: Sequence[str] | None = None
) -> Iterator[tuple[Iterator[pa.RecordBatch], pa.Schema]]:
    try:
        with pa.memory_map(str(path)) as source:
            start = source.read(len(_FILE))
            source.seek(0)
            if start[: len(_FEATHER_1)] == _FEATHER_1:
                raise DataError(
                    f"{name} is a Feather file of version 1", "write it as version 2, which is Arrow, or as Parquet"
                )
            if start == _FILE:
                file = ipc.open_file(source, options=_options(ipc.open_file(source).schema, columns))
                yield (file.get_batch(place) for place in range(file.num_record_batches)), file.schema
            else:
                schema = ipc.open_stream(source).schema
                source.seek(0)
                stream = ipc.open_stream(source, options=_options(schema, columns))
                yield iter(stream), stream.schema
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} cannot be read as Arrow: {str(error)[:300]}", _MEND) from error


def _options(schema: pa.Schema, columns: Sequence[str] | None) -> ipc.IpcReadOptions:
    wanted = None if columns is None else [schema.names.index(column) for column in columns]
    return ipc.IpcReadOptions(use_threads=pl.thread_pool_size() > 1, included_fields=wanted)


def _frame(table: pa.Table) -> pl.DataFrame:
    """Return a table as polars has it, with texts in place of indexes into a dictionary."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - narrows the type
    coded = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Categorical | pl.Enum)]
    return frame.with_columns(pl.col(coded).cast(pl.String)) if coded else frame
