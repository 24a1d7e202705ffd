"""What a step returns becomes kept bytes, and kept bytes become arguments again. There is no pickle.

Equal values give equal bytes, whenever and wherever they are made, so that a step whose result did not change spares the steps
after it. A step returns one value, kept as the item ``value``, or a dict with items of several kinds, each kept apart:

=========  ====================================================  ==============================================
codec      a step returns                                        a step is given
=========  ====================================================  ==============================================
``json``   None, bool, int, float, str, lists and dicts of them  the same
``bytes``  bytes                                                 bytes
``arrow``  a ``pyarrow.Table`` or a ``polars.DataFrame``         a ``pyarrow.Table``, memory-mapped
``npy``    a ``numpy.ndarray`` without objects                   a ``numpy.ndarray``, memory-mapped and read-only
``path``   a ``Path`` of a file                                  a ``Path`` of a read-only file
=========  ====================================================  ==============================================
"""

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gnomon.errors import DataError, NotFoundError, UsageError
from gnomon.pipeline.keys import canonical_json
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore

WHOLE = "value"
"""The item of a result that is one value."""

_JSON_SCALARS = (str, int, float, bool, type(None))


def keep_result(returned: Any, objects: ObjectStore, scratch: Path) -> dict[str, dict[str, Any]]:
    """Keep what a step returned, and return item -> ``{"codec": …, "digest": …}``.

    Args:
        returned: One value, or a dict with values of which at least one is not plain JSON.
        objects: Where the bytes go.
        scratch: A folder for what is being written, best on the filesystem of the store.

    Raises:
        DataError: Something in it cannot be kept; the cause names the place.
    """
    items = returned if _has_items(returned) else {WHOLE: returned}
    kept = {}
    for name, value in items.items():
        if not isinstance(name, str) or not name:
            raise DataError(f"a result has the name {name!r}", "name results by non-empty strings")
        codec, digest = _keep(value, name, objects, scratch)
        kept[name] = {"codec": codec, "digest": digest}
    return kept


def picked(result: Mapping[str, Any], item: str | None, objects: ObjectStore, scratch: Path | None = None) -> Mapping[str, Any]:
    """Return what is kept of one item, or of all items by name where ``item`` is None and there are several.

    An item may also be a key of a result that is one JSON object; it is then kept on its own, so that what depends on it
    depends on nothing else of the object.

    Raises:
        NotFoundError: The result has no such item; the mend names those it has.
    """
    if item is None:
        return result[WHOLE] if set(result) == {WHOLE} else {"items": dict(result)}
    if item in result:
        return result[item]  # type: ignore[no-any-return]  # as keep_result made it
    whole = result.get(WHOLE, {})
    value = load(whole["codec"], Digest(whole["digest"]), objects) if whole.get("codec") == "json" else None
    if isinstance(value, dict) and item in value:
        codec, digest = _keep(value[item], item, objects, scratch or Path())
        return {"codec": codec, "digest": digest}
    names = sorted(value) if isinstance(value, dict) else sorted(result)
    raise NotFoundError(f"the result has no item {item!r}", f"it has {', '.join(names) or 'none'}")


def read_result(result: Mapping[str, Any], item: str | None, objects: ObjectStore) -> Any:
    """Return a step's result, or one item of it, as a step would be given it.

    Raises:
        NotFoundError: The result has no such item, or its bytes are gone.
    """
    if item is not None and item not in result:
        whole = read_result(result, None, objects) if WHOLE in result else None
        if isinstance(whole, dict) and item in whole:
            return whole[item]
    return read_kept(picked(result, item, objects), objects)


def read_kept(kept: Any, objects: ObjectStore) -> Any:
    """Return the value of ``{"codec", "digest"}``, of ``{"items": …}``, or of a list of such."""
    if isinstance(kept, list):
        return [read_kept(each, objects) for each in kept]
    if "items" in kept:
        return {name: read_kept(each, objects) for name, each in kept["items"].items()}
    return load(kept["codec"], Digest(kept["digest"]), objects)


def load(codec: str, digest: Digest, objects: ObjectStore) -> Any:
    """Return a kept value.

    Raises:
        NotFoundError: Nothing is kept under this digest.
        UsageError: There is no such codec.
        DataError: The bytes are not what the codec says.
    """
    reader = _READERS.get(codec)
    if reader is None:
        raise UsageError(f"there is no codec {codec!r}", f"use one of {', '.join(_READERS)}")
    try:
        return reader(digest, objects)
    except (ValueError, OSError) as error:
        raise DataError(f"{digest} cannot be read as {codec}: {error}", "name the codec that it was kept with") from error


def _read_json(digest: Digest, objects: ObjectStore) -> Any:
    return json.loads(objects.get(digest))


def _read_bytes(digest: Digest, objects: ObjectStore) -> Any:
    return objects.get(digest)


def _read_path(digest: Digest, objects: ObjectStore) -> Any:
    return objects.path(digest)


def _read_arrow(digest: Digest, objects: ObjectStore) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - only steps with tables pay for it

    with pa.ipc.open_file(pa.memory_map(str(objects.path(digest)), "r")) as reader:
        return reader.read_all()


def _read_npy(digest: Digest, objects: ObjectStore) -> Any:
    import numpy as np  # noqa: PLC0415 - only steps with arrays pay for it

    return np.load(objects.path(digest), mmap_mode="r", allow_pickle=False)


_READERS: Mapping[str, Callable[[Digest, ObjectStore], Any]] = {
    "json": _read_json,
    "bytes": _read_bytes,
    "arrow": _read_arrow,
    "npy": _read_npy,
    "path": _read_path,
}


def _has_items(returned: Any) -> bool:
    return isinstance(returned, dict) and any(not _looks_plain(value) for value in returned.values())


def _looks_plain(value: Any) -> bool:
    return isinstance(value, (*_JSON_SCALARS, list, tuple, dict)) or _is("numpy", "generic", value)


def _is(module: str, name: str, value: Any) -> bool:
    """Whether a value is of a class, without importing its module: where that is not loaded, it cannot be."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _keep(value: Any, name: str, objects: ObjectStore, scratch: Path) -> tuple[str, Digest]:
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes", objects.put(bytes(value))
    if isinstance(value, Path):
        return "path", _keep_file(value, name, objects)
    if _is("polars", "LazyFrame", value):
        raise DataError(f"item {name} of the result is a LazyFrame", "call collect() before returning it")
    if _is("polars", "DataFrame", value):
        return "arrow", _keep_table(value.to_arrow(), objects, scratch)
    if _is("pyarrow", "Table", value):
        return "arrow", _keep_table(value, objects, scratch)
    if _is("numpy", "ndarray", value):
        return "npy", _keep_array(value, name, objects, scratch)
    return "json", objects.put(canonical_json(_plain(value, name)))


def _keep_file(path: Path, name: str, objects: ObjectStore) -> Digest:
    if not path.is_file():
        raise DataError(f"item {name} of the result is the path {path}, where there is no file", "return the path of a file")
    return objects.put_file(path)


def _keep_table(table: Any, objects: ObjectStore, scratch: Path) -> Digest:
    import pyarrow as pa  # noqa: PLC0415 - loaded already, or polars needs it now

    path = scratch / f"{os.urandom(8).hex()}.arrow"
    table = _canonical_table(table)
    options = pa.ipc.IpcWriteOptions(compression=None, unify_dictionaries=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return objects.put_file(path, move=True)


def _canonical_table(table: Any) -> Any:
    """Return an equal table whose bytes depend on its values alone, not on how they came about.

    Chunks are joined; what lies under a missing value, and the bits behind the last value, are set anew; what pandas notes
    about its own version is left out.
    """
    import pyarrow as pa  # noqa: PLC0415 - see _keep_table

    table = table.combine_chunks()
    for index, column in enumerate(table.columns):
        if column.null_count or pa.types.is_boolean(column.type) or pa.types.is_nested(column.type):
            table = table.set_column(index, table.schema.field(index), column.take(pa.array(range(len(column)), pa.int64())))
    notes = sorted((key, value) for key, value in (table.schema.metadata or {}).items() if key != b"pandas")
    return table.replace_schema_metadata(dict(notes) or None).combine_chunks()


def _keep_array(array: Any, name: str, objects: ObjectStore, scratch: Path) -> Digest:
    import numpy as np  # noqa: PLC0415 - loaded already

    if array.dtype.hasobject:
        raise DataError(f"item {name} of the result is an array of Python objects", "return numbers, a table, or a list")
    path = scratch / f"{os.urandom(8).hex()}.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return objects.put_file(path, move=True)


def _plain(value: Any, where: str) -> Any:
    """Return the plain JSON value that a value means, or say where it is none."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"{where} of the result is {float(value)}", "return None where a figure does not exist")
        return float(value)
    if isinstance(value, _JSON_SCALARS):
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise DataError(f"{where} of the result has the key {key!r}", "JSON objects have strings as keys: use str(key)")
        return {key: _plain(each, f"{where}.{key}") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, f"{where}[{index}]") for index, each in enumerate(value)]
    if _is("numpy", "generic", value) and not value.dtype.hasobject:
        return _plain(value.item(), where)
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise DataError(f"{where} of the result is a {kind}", "return JSON values, bytes, arrays, tables or paths of files")
