"""What a step returns becomes kept bytes, and kept bytes become arguments again. There is no pickle.

Equal values give equal bytes, so that a step whose result did not change spares the steps after it. A step returns one value,
kept as the item ``value``, or items of several kinds, each kept apart: a dict with their names, or a tuple where the step
declares their names.

==========  ====================================================  =============================================
codec       a step returns                                        a step is given
==========  ====================================================  =============================================
``json``    None, bool, int, float, str, lists and dicts of them  the same
``bytes``   bytes                                                 bytes
``arrow``   a pyarrow ``Table``, a polars or pandas ``DataFrame``  a pyarrow ``Table``, memory-mapped, or the
                                                                  ``DataFrame`` that the parameter is annotated as
``npy``     a ``numpy.ndarray`` without objects                   a ``numpy.ndarray``, memory-mapped and read-only
``onnx``    an ``onnx.ModelProto``                                an ``onnx.ModelProto``
``path``    a ``Path`` of a file                                  a ``Path`` of a read-only file of the same ending
``folder``  a ``Path`` of a folder                                a ``Path`` of a folder of read-only files
==========  ====================================================  =============================================

A small JSON value is kept in the journal itself, as ``inline`` beside its digest; everything else lies in the object store.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.errors import DataError, NotFoundError
from gnomon.pipeline.codecs import (
    Keeping,
    folder_files,
    is_of,
    keep_array,
    keep_onnx,
    keep_table,
    load,
    table_of,
)
from gnomon.pipeline.keys import canonical_json
from gnomon.resources.identity import Digest
from gnomon.stores.digests import digest_of
from gnomon.stores.objects.interface import ObjectStore

if TYPE_CHECKING:
    from gnomon.pipeline.dag import FromStore

__all__ = ["INLINE_BYTES", "WHOLE", "as_arguments", "is_kept", "keep_result", "load", "picked", "read_kept", "read_result"]

WHOLE = "value"
"""The item of a result that is one value."""
INLINE_BYTES = 4096
"""How large a JSON value may be to lie in the journal: there it costs no file, and a row stays within few pages."""

_JSON_SCALARS = (str, int, float, bool, type(None))


def keep_result(
    returned: Any, objects: ObjectStore, scratch: Path, *, names: tuple[str, ...] = (), inline_bytes: int = 0
) -> dict[str, dict[str, Any]]:
    """Keep what a step returned, and return item -> ``{"codec": …, "digest": …}``.

    Args:
        returned: One value, or a dict with values of which at least one is not plain JSON.
        objects: Where the bytes go.
        scratch: A folder for what is being written, best on the filesystem of the store. Files in it that are returned are
            taken, not copied.
        names: Declared names of the items: then ``returned`` is a tuple of as many, or a dict with these keys.
        inline_bytes: How large a JSON value may be to be told as ``inline`` instead of being kept.

    Raises:
        DataError: Something in it cannot be kept; the cause names the place.
    """
    items = _named(returned, names) if names else returned if _has_items(returned) else {WHOLE: returned}
    for name in items:
        if not isinstance(name, str) or not name:
            raise DataError(f"a result has the name {name!r}", "name results by non-empty strings")
    keeping = Keeping(objects, scratch)
    # Folders first: a file in one that is returned by itself too is remembered, but would be missing the other way round.
    order = sorted(items, key=lambda name: not (isinstance(items[name], Path) and items[name].is_dir()))
    kept = {name: _keep(items[name], name, keeping, inline_bytes) for name in order}
    return {name: kept[name] for name in items}


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
    value = read_kept(whole, objects) if whole.get("codec") == "json" else None
    if isinstance(value, dict) and item in value:
        return _keep(value[item], item, Keeping(objects, scratch or Path()), INLINE_BYTES)
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


def read_kept(kept: Any, objects: ObjectStore, place: Path | None = None) -> Any:
    """Return the value of ``{"codec", "digest"}``, of ``{"items": …}``, or of a list of such.

    Args:
        kept: As ``keep_result`` made it.
        objects: Where it is kept.
        place: For paths: what names for them may be made of; see ``codecs.load``.
    """
    if isinstance(kept, list):
        return [read_kept(each, objects, place and place / str(index)) for index, each in enumerate(kept)]
    if "items" in kept:
        return {name: read_kept(each, objects, place and place / name) for name, each in kept["items"].items()}
    if "inline" in kept:
        return kept["inline"]
    return load(kept["codec"], Digest(kept["digest"]), objects, place, kept.get("suffix", ""))


def without_inline(kept: Any) -> Any:
    """Return what names a kept value, without the value itself: what a step key is made of."""
    if isinstance(kept, list):
        return [without_inline(each) for each in kept]
    if "items" in kept:
        return {"items": {name: without_inline(each) for name, each in kept["items"].items()}}
    return {name: value for name, value in kept.items() if name != "inline"} if "inline" in kept else kept


def as_arguments(result: Mapping[str, Any], objects: ObjectStore) -> "dict[str, FromStore]":
    """Return the items of a result as arguments of steps in another graph; those that are inline are kept now."""
    from gnomon.pipeline.dag import FromStore  # noqa: PLC0415 - takes 5 ms, and the processes of steps do without

    for kept in result.values():
        if "inline" in kept:
            objects.put(canonical_json(kept["inline"]))
    return {item: FromStore(Digest(kept["digest"]), kept["codec"], kept.get("suffix", "")) for item, kept in result.items()}


def is_kept(result: Mapping[str, Any] | None, objects: ObjectStore) -> bool:
    """Return whether everything of a result is still there."""
    return result is not None and all(objects.exists(digest) for kept in result.values() for digest in _digests(kept, objects))


def _digests(kept: Mapping[str, Any], objects: ObjectStore) -> Iterator[Digest]:
    if "inline" in kept:
        return
    digest = Digest(kept["digest"])
    yield digest
    if kept["codec"] == "folder" and objects.exists(digest):
        yield from folder_files(digest, objects).values()


def _named(returned: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    if isinstance(returned, Mapping) and set(returned) == set(names):
        return {name: returned[name] for name in names}
    if len(names) == 1:
        return {names[0]: returned}
    if isinstance(returned, tuple | list) and len(returned) == len(names):
        return dict(zip(names, returned, strict=True))
    found = f"{len(returned)} values" if isinstance(returned, tuple | list) else f"a {type(returned).__name__}"
    raise DataError(
        f"the step declares the results {', '.join(names)} and returned {found}",
        f"return a tuple of {len(names)}, or a dict with these keys",
    )


def _has_items(returned: Any) -> bool:
    return isinstance(returned, dict) and any(not _looks_plain(value) for value in returned.values())


def _looks_plain(value: Any) -> bool:
    return isinstance(value, (*_JSON_SCALARS, list, tuple, dict)) or is_of(value, "numpy", "generic")


def _keep(value: Any, name: str, keeping: Keeping, inline_bytes: int) -> dict[str, Any]:
    if isinstance(value, bytes | bytearray | memoryview):
        return _as("bytes", keeping.objects.put(bytes(value)))
    if isinstance(value, Path):
        if value.is_dir():
            return _as("folder", keeping.folder(value, name))
        kept = _as("path", keeping.file(value, name))
        return {**kept, "suffix": value.suffix} if value.suffix else kept
    table = table_of(value, name)
    if table is not None:
        return _as("arrow", keep_table(table, keeping))
    if is_of(value, "numpy", "ndarray"):
        return _as("npy", keep_array(value, name, keeping))
    if is_of(value, "onnx", "ModelProto"):
        return _as("onnx", keep_onnx(value, name, keeping.objects))
    content = canonical_json(plain := _plain(value, name))
    if len(content) <= inline_bytes:
        return {**_as("json", digest_of(content)), "inline": plain}
    return _as("json", keeping.objects.put(content))


def _as(codec: str, digest: Digest) -> dict[str, Any]:
    return {"codec": codec, "digest": digest}


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
    if is_of(value, "numpy", "generic") and not value.dtype.hasobject:
        return _plain(value.item(), where)
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise DataError(f"{where} of the result is a {kind}", "return JSON values, bytes, arrays, tables or paths of files")
