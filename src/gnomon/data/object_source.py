"""Files of an object store: listed by name, size and tag, downloaded only where those have changed.

What the store says of an object is its identity: an object whose entity tag and size stay is never read again.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gnomon.data.path_patterns import glob_expression, is_glob
from gnomon.data.source_file import SourceFile, format_of
from gnomon.errors import DataError, StoreError
from gnomon.resources.dataset import FORMAT_SUFFIXES, FromEnvironment, Source

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Bucket

_CONNECT = timedelta(seconds=5)
_READ = timedelta(seconds=20)
"""The longest silence of a server while it answers."""
_REQUEST = timedelta(minutes=2)
"""The longest that one page of a listing, or one piece of an object, may take."""
_RETRY = timedelta(seconds=20)
_PIECE_BYTES = 2**24
"""How much of an object is asked for at a time, which is all that memory holds of it."""
_MOST_OBJECTS = 1_000_000
_MEND_AGAIN = "it is tried again by itself; see that the address is right and the store can be reached"


@dataclass(frozen=True)
class _Place:
    """A bucket, what it is called, and the pattern of the keys."""

    bucket: "Bucket"
    name: str
    pattern: str


def object_files(source: Source) -> tuple[SourceFile, ...]:
    """Return the objects that ``source`` names, in the order of their keys; nothing is downloaded.

    Raises:
        StoreError: The store does not answer.
        DataError: Nothing matches, there is no such bucket, or it lets nobody in with these credentials.
    """
    scheme, _, rest = (source.files or "").partition("://")
    bucket, _, pattern = rest.partition("/")
    name = f"{scheme}://{bucket}"
    place = _Place(_bucket(source, name, scheme), name, pattern)
    found = {str(entry["path"]): entry for entry in _entries(place)}
    matches = glob_expression(pattern).fullmatch
    paths = sorted(path for path in found if path == pattern or (is_glob(pattern) and matches(path)))
    if not paths:
        raise _nothing_matches(place, list(found))
    return tuple(_file(source, place, found[path]) for path in paths)


def _bucket(source: Source, name: str, scheme: str) -> "Bucket":
    from obstore.exceptions import BaseError  # noqa: PLC0415 - few datasets need it
    from obstore.store import S3Store, from_url  # noqa: PLC0415 - likewise

    client = {"connect_timeout": _CONNECT, "read_timeout": _READ, "timeout": _REQUEST, "allow_http": True}
    retry = {"max_retries": 3, "retry_timeout": _RETRY}
    try:
        if scheme != "s3":
            return from_url(name, client_options=client, retry_config=retry)  # type: ignore[call-overload,no-any-return] # typed for each store
        storage = source.storage
        declared = (
            {
                "endpoint": storage.endpoint,
                "region": storage.region,
                "access_key_id": _variable(storage.access_key),
                "secret_access_key": _variable(storage.secret_key),
            }
            if storage is not None
            else {}
        )
        config = {key: value for key, value in declared.items() if value is not None}
        return S3Store(name.removeprefix("s3://"), config=config, client_options=client, retry_config=retry)  # type: ignore[arg-type] # a mapping
    except (BaseError, ValueError) as error:
        raise _failure(error, name) from None


def _variable(reference: FromEnvironment | None) -> str | None:
    if reference is None:
        return None
    value = os.environ.get(reference.env, "")
    if not value:
        raise DataError(
            f"the operator's environment has no {reference.env}, which spec.source.storage names",
            f"start the operator with {reference.env} set",
        )
    return value


def _entries(place: _Place) -> Iterator["ObjectMeta"]:
    """Yield the objects that may match: one, those of a folder, or those of a whole branch of folders."""
    import obstore  # noqa: PLC0415 - as above
    from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

    folders = place.pattern.split("/")[:-1]
    fixed = next((number for number, folder in enumerate(folders) if is_glob(folder)), len(folders))
    prefix = "/".join(folders[:fixed])
    with _told(place.name):
        if not is_glob(place.pattern):
            with suppress(BaseError, OSError):  # what stands beside it, or why nothing can be listed, tells more
                yield obstore.head(place.bucket, place.pattern)
                return
        if fixed == len(folders):
            yield from obstore.list_with_delimiter(place.bucket, prefix or None)["objects"]
            return
        count = 0
        for page in obstore.list(place.bucket, prefix or None, chunk_size=1000):
            count += len(page)
            if count > _MOST_OBJECTS:
                raise DataError(
                    f"{place.name}/{prefix} holds more than {_MOST_OBJECTS:,} objects", "narrow the pattern to fewer folders"
                )
            yield from page


def _file(source: Source, place: _Place, entry: "ObjectMeta") -> SourceFile:
    path = f"{place.name}/{entry['path']}"
    tag = entry["e_tag"]
    changed = f"tag {tag}" if tag else f"at {entry['last_modified'].isoformat()}"
    endpoint = source.storage.endpoint if source.storage is not None else None
    identity = f"object {endpoint or ''} {path} {entry['size']} {changed}"
    fetch = partial(_download, place, str(entry["path"]), entry["size"], tag)
    return SourceFile(path, identity, entry["size"], None, None, format_of(source, path), fetch)


def _download(place: _Place, key: str, size: int, tag: str | None, _: Path | None, target: Path) -> None:
    """Write an object to a file, piece by piece, each of the object as it was listed."""
    import obstore  # noqa: PLC0415 - as above
    from obstore.exceptions import PreconditionError  # noqa: PLC0415 - as above

    path = f"{place.name}/{key}"
    changed = DataError(f"{path} changed while it was read", "it is read again once it is at rest")
    with target.open("xb") as file, _told(path):
        for start in range(0, size, _PIECE_BYTES):
            try:
                end = min(size, start + _PIECE_BYTES)
                got = obstore.get(place.bucket, key, options={"range": (start, end), **({"if_match": tag} if tag else {})})
                piece = got.bytes()
            except (FileNotFoundError, PreconditionError):
                raise changed from None
            if got.meta["size"] != size or len(piece) != end - start:
                raise changed
            file.write(piece)


@contextmanager
def _told(place: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

    try:
        yield
    except (BaseError, FileNotFoundError, PermissionError, TimeoutError, ConnectionError) as error:
        # What a server answers may hold keys: what is said of it is said in our words.
        raise _failure(error, place) from None


_REFUSALS: Sequence[tuple[tuple[str, ...], str, str]] = (
    (("NoSuchBucket", "specified bucket does not exist"), "there is no such bucket", "create it, or correct source.files"),
    (("RequestTimeTooSkewed",), "the clocks of the store and of this machine differ too much", "set the clock of this machine"),
    (("InvalidAccessKeyId",), "the access key is not known there", "correct the variable of the access key"),
    (("SignatureDoesNotMatch",), "the secret does not belong to the access key", "correct the variable of the secret key"),
    (("ExpiredToken", "TokenExpired"), "the credentials have expired", "start the operator with new ones"),
    (
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"),
        "the bucket lies in another region",
        "declare storage.region",
    ),
    (("AccessDenied", "403 Forbidden"), "access is denied", "let these credentials list and read the bucket"),
    (
        ("401 Unauthorized", "credential", "metadata"),
        "no credentials are accepted",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the operator, or declare storage.accessKey and secretKey",
    ),
    (("404 Not Found",), "there is no such bucket or object", "correct source.files"),
)


def _failure(error: Exception, place: str) -> DataError | StoreError:
    told = str(error).partition("Debug source:")[0]
    for words, spoken, mend in _REFUSALS:
        if any(word in told for word in words):
            return DataError(f"{place}: {spoken}", mend)
    if isinstance(error, ValueError):
        return DataError(f"{place} cannot be opened", "correct source.files and the variables of the store's credentials")
    slow = any(word in told for word in ("timed out", "timeout", "Timeout"))
    return StoreError(f"{place} {'does not answer in time' if slow else 'cannot be reached'}", _MEND_AGAIN)


def _nothing_matches(place: _Place, keys: Iterable[str]) -> DataError:
    cause = f"the source '{place.name}/{place.pattern}' matches no object"
    tables = [key for key in keys if key.lower().endswith(tuple(FORMAT_SUFFIXES))][:1000]
    near = get_close_matches(place.pattern, tables, n=1, cutoff=0.5)
    return DataError(cause, f"did you mean {place.name}/{near[0]}?" if near else "put files there, or correct source.files")
