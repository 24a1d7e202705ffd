"""Each kind of value that a step may return or be given, as bytes in the object store and back.

Equal values give equal bytes, whenever and wherever they are made.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gnomon.errors import DataError, UsageError
from gnomon.pipeline.keys import canonical_json
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore


@dataclass(frozen=True)
class Keeping:
    """Where values are kept.

    Args:
        objects: Where the bytes go.
        scratch: A folder for what is being written, best on the filesystem of the store. Files in it that a step returns are
            taken, not copied.
    """

    objects: ObjectStore
    scratch: Path
    _taken: dict[Path, Digest] = field(default_factory=dict, init=False)

    def file(self, path: Path, name: str) -> Digest:
        """Keep a file, and return its digest.

        Raises:
            DataError: There is no such file.
        """
        real = path.resolve()
        if real not in self._taken:
            if not real.is_file():
                raise DataError(
                    f"item {name} of the result is the path {path}, where there is no file",
                    "return the path of a file or folder",
                )
            move = not path.is_symlink() and self.scratch.resolve() in real.parents
            self._taken[real] = self.objects.put_file(real, move=move)
        return self._taken[real]

    def folder(self, path: Path, name: str) -> Digest:
        """Keep every file below a folder, and return the digest of the list of them. Empty folders are not told.

        Raises:
            DataError: Something in it is neither a file nor a folder.
        """
        files = {}
        for found in sorted(path.rglob("*")):
            if found.is_dir() and not found.is_symlink():
                continue
            if found.resolve() not in self._taken and not found.is_file():
                raise DataError(
                    f"item {name} of the result is the folder {path}, which holds {found.relative_to(path)}, no plain file",
                    "leave files and folders there alone",
                )
            files[found.relative_to(path).as_posix()] = self.file(found, name)
        return self.objects.put(canonical_json({"files": files}))

    def draft(self, ending: str) -> Path:
        """Return the name for a new file."""
        return self.scratch / f"{os.urandom(8).hex()}{ending}"


def keep_table(table: Any, keeping: Keeping) -> Digest:
    """Keep a ``pyarrow.Table`` as an Arrow file that can be memory-mapped."""
    import pyarrow as pa  # noqa: PLC0415 - loaded already, or polars needs it now

    path = keeping.draft(".arrow")
    table = _canonical_table(table)
    options = pa.ipc.IpcWriteOptions(compression=None, unify_dictionaries=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return keeping.objects.put_file(path, move=True)


def _canonical_table(table: Any) -> Any:
    """Return an equal table whose bytes depend on its values alone, not on how they came about.

    Chunks are joined; what lies under a missing value, and the bits behind the last value, are set anew; what pandas notes
    about its own version is left out.
    """
    import pyarrow as pa  # noqa: PLC0415 - see keep_table

    table = table.combine_chunks()
    for index, column in enumerate(table.columns):
        if column.null_count or pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
            table = table.set_column(index, table.schema.field(index), column.take(pa.array(range(len(column)), pa.int64())))
    notes = sorted((key, value) for key, value in (table.schema.metadata or {}).items() if key != b"pandas")
    return table.replace_schema_metadata(dict(notes) or None).combine_chunks()


def table_of(value: Any, name: str) -> Any:
    """Return what is a table, in whichever library, as a ``pyarrow.Table``; None for anything else.

    Raises:
        DataError: It is not computed yet, has an index that would be lost, or columns that Arrow cannot hold.
    """
    if is_of(value, "pyarrow", "Table"):
        return value
    if is_of(value, "polars", "LazyFrame"):
        raise DataError(f"item {name} of the result is a LazyFrame", "call collect() before returning it")
    if is_of(value, "polars", "DataFrame"):
        return value.to_arrow()
    return _table_of_pandas(value, name) if is_of(value, "pandas", "DataFrame") else None


def _table_of_pandas(frame: Any, name: str) -> Any:
    import pandas as pd  # noqa: PLC0415 - loaded already
    import pyarrow as pa  # noqa: PLC0415 - only steps with tables pay for it

    # An index of whole numbers without a name only counts rows, or tells which of them were picked.
    if frame.index.nlevels > 1 or frame.index.name is not None or not pd.api.types.is_integer_dtype(frame.index.dtype):
        raise DataError(
            f"item {name} of the result has an index, which a table has not", "call reset_index() before returning it"
        )
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"item {name} of the result does not fit a table: {error}", "give each column one type") from error


def keep_array(array: Any, name: str, keeping: Keeping) -> Digest:
    """Keep a ``numpy.ndarray`` as a file that can be memory-mapped.

    Raises:
        DataError: It holds Python objects.
    """
    import numpy as np  # noqa: PLC0415 - loaded already

    if array.dtype.hasobject:
        raise DataError(f"item {name} of the result is an array of Python objects", "return numbers, a table, or a list")
    path = keeping.draft(".npy")
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return keeping.objects.put_file(path, move=True)


def keep_onnx(model: Any, name: str, objects: ObjectStore) -> Digest:
    """Keep an ``onnx.ModelProto``."""
    try:
        return objects.put(model.SerializeToString(deterministic=True))
    except ValueError as error:  # over 2 GiB
        raise DataError(
            f"item {name} of the result is an ONNX model that is too large for one message: {error}",
            "save it with external data into a folder, and return the path of the folder",
        ) from error


def load(codec: str, digest: Digest, objects: ObjectStore, place: Path | None = None, suffix: str = "") -> Any:
    """Return a kept value.

    Args:
        codec: How it was kept.
        digest: What names it.
        objects: Where it is kept.
        place: For paths: where a name for it may be made, without ``suffix``. Without it, a file is given as the store names
            it, and a folder as relative path -> digest.
        suffix: What a path had at its end.

    Raises:
        NotFoundError: Nothing is kept under this digest.
        UsageError: There is no such codec.
        DataError: The bytes are not what the codec says.
    """
    try:
        if codec == "path":
            return _read_path(digest, objects, place, suffix)
        if codec == "folder":
            return _read_folder(digest, objects, place)
        reader = _READERS.get(codec)
        if reader is None:
            raise UsageError(f"there is no codec {codec!r}", f"use one of {', '.join(CODECS)}")
        return reader(digest, objects)
    except (ValueError, OSError) as error:
        raise DataError(f"{digest} cannot be read as {codec}: {error}", "name the codec that it was kept with") from error


def folder_files(digest: Digest, objects: ObjectStore) -> Mapping[str, Digest]:
    """Return relative path -> digest of the files of a kept folder."""
    return {name: Digest(file) for name, file in json.loads(objects.get(digest))["files"].items()}


def _read_json(digest: Digest, objects: ObjectStore) -> Any:
    return json.loads(objects.get(digest))


def _read_bytes(digest: Digest, objects: ObjectStore) -> Any:
    return objects.get(digest)


def _read_path(digest: Digest, objects: ObjectStore, place: Path | None, suffix: str) -> Path:
    kept = objects.path(digest)
    if place is None or not suffix:
        return kept
    named = place.with_name(place.name + suffix)
    _link(named, kept)
    return named


def _read_folder(digest: Digest, objects: ObjectStore, place: Path | None) -> Any:
    files = folder_files(digest, objects)
    if place is None:
        return files
    place.mkdir(parents=True)
    for name, file in files.items():
        _link(place / name, objects.path(file))
    return place


def _link(name: Path, kept: Path) -> None:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.symlink_to(kept.absolute())


def _read_arrow(digest: Digest, objects: ObjectStore) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - only steps with tables pay for it

    with pa.ipc.open_file(pa.memory_map(str(objects.path(digest)), "r")) as reader:
        return reader.read_all()


def _read_npy(digest: Digest, objects: ObjectStore) -> Any:
    import numpy as np  # noqa: PLC0415 - only steps with arrays pay for it

    return np.load(objects.path(digest), mmap_mode="r", allow_pickle=False)


def _read_onnx(digest: Digest, objects: ObjectStore) -> Any:
    import onnx  # noqa: PLC0415 - only steps with models pay for it

    return onnx.load_from_string(objects.get(digest))


_READERS: Mapping[str, Callable[[Digest, ObjectStore], Any]] = {
    "json": _read_json,
    "bytes": _read_bytes,
    "arrow": _read_arrow,
    "npy": _read_npy,
    "onnx": _read_onnx,
}
CODECS = (*_READERS, "path", "folder")
"""Every way of keeping a value."""


def is_of(value: Any, module: str, name: str) -> bool:
    """Return whether a value is of a class, without importing its module: where that is not loaded, it cannot be."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def as_annotated(value: Any, function: Callable[..., Any], name: str) -> Any:
    """Return a table as the kind of ``DataFrame`` that a parameter is annotated as; anything else as it is."""
    if not is_of(value, "pyarrow", "Table"):
        return value
    annotation = getattr(function, "__annotations__", {}).get(name)
    text = (
        annotation
        if isinstance(annotation, str)
        else f"{getattr(annotation, '__module__', '')}.{getattr(annotation, '__name__', '')}"
    )
    frame = text.rpartition(".")[2]
    top = text.partition(".")[0]
    module = getattr(getattr(function, "__globals__", {}).get(top), "__name__", top).partition(".")[0]
    match module, frame:
        case "polars", "DataFrame":
            import polars as pl  # noqa: PLC0415 - the step has it loaded

            return pl.from_arrow(value)
        case "pandas", "DataFrame":
            return value.to_pandas()
    return value
