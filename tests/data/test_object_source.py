"""Files of object stores: on a real S3 server where there is one; what is told without asking any, everywhere."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from obstore.store import S3Store

from gnomon.data.intake import take_in
from gnomon.data.object_source import _failure
from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import DataError, StoreError
from gnomon.resources.dataset import DatasetSpec, FromEnvironment, Source, Storage
from gnomon.stores.objects.disk import DiskObjectStore
from tests.data.object_server import ACCESS, SECRET, bucket_of, object_server
from tests.data.tables import dataset_of, no_blob


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with object_server(tmp_path_factory.mktemp("s3"), "rows") as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setenv("ROWS_KEY", ACCESS)
    monkeypatch.setenv("ROWS_SECRET", SECRET)
    return bucket_of(endpoint, "rows")


def source_of(endpoint: str, files: str, access: str = "ROWS_KEY", secret: str = "ROWS_SECRET") -> Source:
    keys = {"access_key": FromEnvironment(env=access), "secret_key": FromEnvironment(env=secret)}
    return Source(files=files, storage=Storage(endpoint=endpoint, region="us-east-1", **keys))


def parquet(values: list[int], folder: Path) -> bytes:
    pl.DataFrame({"a": values}).write_parquet(folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


def test_only_objects_that_changed_are_downloaded_again(
    bucket: S3Store, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstore.put(bucket, "flights/one.parquet", parquet([1, 2], tmp_path))
    obstore.put(bucket, "flights/two.parquet", parquet([3], tmp_path))
    obstore.put(bucket, "flights/deep/three.csv.gz", gzip.compress(b"a\n4\n"))
    dataset = dataset_of(DatasetSpec(source=source_of(endpoint, "s3://rows/flights/**/*")))
    read: list[str] = []
    get = obstore.get

    def counted(store: S3Store, key: str, **options: Any) -> Any:
        read.append(key)
        return get(store, key, **options)

    monkeypatch.setattr(obstore, "get", counted)
    objects = DiskObjectStore(tmp_path / "objects")
    first = take_in(dataset, (), objects, no_blob)
    assert (first.rows, sorted(read)) == (4, ["flights/deep/three.csv.gz", "flights/one.parquet", "flights/two.parquet"])
    assert first.paths[0] == "s3://rows/flights/deep/three.csv.gz"

    read.clear()
    again = take_in(dataset, (), objects, no_blob, first.known)
    assert (again.digest, again.fingerprint, read) == (first.digest, first.fingerprint, [])
    obstore.put(bucket, "flights/two.parquet", parquet([3, 5], tmp_path))
    obstore.delete(bucket, "flights/one.parquet")
    changed = take_in(dataset, (), objects, no_blob, again.known)
    assert (changed.rows, read) == (3, ["flights/two.parquet"])
    assert fingerprint(list_files(dataset.spec.source, ())) == changed.fingerprint != first.fingerprint


def test_large_objects_come_in_pieces_of_what_was_listed(
    bucket: S3Store, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.data.object_source._PIECE_BYTES", 1000)
    content = b"a\n" + b"".join(b"%d\n" % row for row in range(2000))
    obstore.put(bucket, "big/rows.csv", content)
    (file,) = list_files(source_of(endpoint, "s3://rows/big/rows.csv"), ())
    assert file.fetch is not None
    file.fetch(None, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == content
    obstore.put(bucket, "big/rows.csv", content.replace(b"1", b"2"))
    with pytest.raises(DataError, match="changed while it was read"):
        file.fetch(None, tmp_path / "other")
    obstore.delete(bucket, "big/rows.csv")
    with pytest.raises(DataError, match="changed while it was read"):
        file.fetch(None, tmp_path / "gone")


@pytest.mark.parametrize(
    ("files", "keys", "told"),
    [
        ("s3://rows/asked/*.csv", {}, "matches no object (put files there"),
        ("s3://rows/ready/flihgts.csv", {}, "matches no object"),
        ("s3://no-such-bucket/flights/*.csv", {}, "s3://no-such-bucket: there is no such bucket"),
        ("s3://no-such-bucket/flights.csv", {}, "s3://no-such-bucket: there is no such bucket"),
        ("s3://rows/x/*.csv", {"access": "OTHER"}, "the access key is not known there"),
        ("s3://rows/x/*.csv", {"secret": "OTHER"}, "the secret does not belong to the access key"),
        ("s3://rows/x/*.csv", {"secret": "ABSENT"}, "the operator's environment has no ABSENT"),
    ],
)
def test_what_a_store_refuses_is_told_without_its_keys(
    bucket: S3Store, endpoint: str, monkeypatch: pytest.MonkeyPatch, files: str, keys: dict[str, str], told: str
) -> None:
    assert bucket is not None
    monkeypatch.setenv("OTHER", "other-key-material")
    with pytest.raises(DataError) as caught:
        list_files(source_of(endpoint, files, **keys), ())
    assert told in str(caught.value)
    assert not any(secret in repr(caught.value) for secret in (SECRET, ACCESS, "other-key-material"))
    assert caught.value.__cause__ is None


def test_a_name_nearby_is_offered(bucket: S3Store, endpoint: str) -> None:
    obstore.put(bucket, "near/flights.csv", b"a\n1\n")
    with pytest.raises(DataError, match=r"did you mean s3://rows/near/flights\.csv\?"):
        list_files(source_of(endpoint, "s3://rows/near/flihgts.csv"), ())


def test_a_store_that_does_not_answer_may_be_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWS_KEY", ACCESS)
    monkeypatch.setenv("ROWS_SECRET", SECRET)
    with pytest.raises(StoreError, match=r"s3://rows (cannot be reached|does not answer)"):
        list_files(source_of("http://127.0.0.1:1", "s3://rows/x/*.csv"), ())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<Code>RequestTimeTooSkewed</Code>", "the clocks of the store and of this machine differ too much (set the clock"),
        ("<Code>AccessDenied</Code>", "access is denied (let these credentials list and read the bucket)"),
        ("status code: 403 Forbidden: ", "access is denied"),
        ("<Code>ExpiredToken</Code>", "the credentials have expired"),
        ("<Code>PermanentRedirect</Code>", "lies in another region (declare storage.region)"),
        ("operation timed out", "does not answer in time"),
    ],
)
def test_what_servers_say_becomes_what_to_do(said: str, told: str) -> None:
    assert told in str(_failure(OSError(f"Generic S3 error: {said} Debug source: timeout"), "s3://rows"))
