"""Values that steps return and are given."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

from gnomon.errors import DataError, NotFoundError, UsageError
from gnomon.pipeline.codecs import as_annotated
from gnomon.pipeline.values import is_kept, keep_result, load, picked, read_kept, read_result, without_inline
from gnomon.resources.identity import Digest
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.objects.memory import MemoryObjectStore
from tests.pipeline.test_keys import JSON


@pytest.fixture
def objects(tmp_path: Path) -> DiskObjectStore:
    return DiskObjectStore(tmp_path / "objects")


def there_and_back(value: Any, objects: DiskObjectStore, scratch: Path) -> Any:
    return read_result(keep_result(value, objects, scratch), None, objects)


@settings(max_examples=60)
@given(JSON)
def test_plain_values_come_back_equal(value: Any) -> None:
    objects = MemoryObjectStore()
    kept = keep_result(value, objects, Path())
    back = read_result(kept, None, objects)
    assert back == value
    assert keep_result(back, objects, Path()) == kept
    assert kept["value"]["codec"] == "json"


def test_a_plain_dict_is_one_value_and_its_keys_can_be_picked(objects: DiskObjectStore) -> None:
    kept = keep_result({"b": [1, 2], "a": {"x": 0.5}}, objects, Path())
    assert set(kept) == {"value"}
    assert read_result(kept, "a", objects) == {"x": 0.5}
    alone = picked(kept, "a", objects)
    assert read_kept(alone, objects) == {"x": 0.5}


def test_items_of_several_kinds_are_kept_apart(objects: DiskObjectStore, tmp_path: Path) -> None:
    made = tmp_path / "made.txt"
    made.write_text("kept")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    returned = {
        "table": pa.table({"x": [1, None, 3]}),
        "frame": pl.DataFrame({"y": ["a", None]}),
        "weights": np.arange(6.0).reshape(2, 3),
        "blob": b"\0\1",
        "notes": {"n": 3},
        "file": made,
    }
    kept = keep_result(returned, objects, scratch)
    assert {name: each["codec"] for name, each in kept.items()} == {
        "table": "arrow",
        "frame": "arrow",
        "weights": "npy",
        "blob": "bytes",
        "notes": "json",
        "file": "path",
    }
    back = read_result(kept, None, objects)
    assert back["table"].equals(returned["table"])
    assert back["frame"].to_pylist() == [{"y": "a"}, {"y": None}]
    assert np.array_equal(back["weights"], returned["weights"])
    assert isinstance(back["weights"], np.memmap)
    assert not back["weights"].flags.writeable
    assert back["blob"] == b"\0\1"
    assert back["notes"] == {"n": 3}
    assert back["file"].read_text() == "kept"
    assert made.exists()


def test_a_table_is_read_without_a_copy(objects: DiskObjectStore, tmp_path: Path) -> None:
    table = pa.table({"x": np.arange(1_000_000)})
    kept = keep_result(table, objects, tmp_path)
    before = pa.total_allocated_bytes()
    back = read_result(kept, None, objects)
    assert pa.total_allocated_bytes() - before < 100_000
    assert back.equals(table)
    assert back["x"].num_chunks == 1


def chunked(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table.slice(0, 2), table.slice(2)])


def with_rubbish_below_nulls(table: pa.Table) -> pa.Table:
    column = table["x"].combine_chunks()
    values = np.array([1, 77, 3, 4, 5], dtype=np.int64)
    return table.set_column(0, "x", pa.Array.from_buffers(pa.int64(), 5, [column.buffers()[0], pa.py_buffer(values)]))


def sliced(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table]).combine_chunks().slice(5, 5)


def noted_by_pandas(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({"pandas": "written by version 3.1 today"})


def through_polars(table: pa.Table) -> Any:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.to_arrow().cast(table.schema)


@pytest.mark.parametrize("change", [chunked, with_rubbish_below_nulls, sliced, noted_by_pandas, through_polars])
def test_equal_tables_have_equal_bytes_however_they_were_made(
    change: Callable[[Any], Any], objects: DiskObjectStore, tmp_path: Path
) -> None:
    table = pa.table(
        {
            "x": pa.array([1, None, 3, 4, 5]),
            "s": pa.array(["a", "bc", None, "", "e"]),
            "b": pa.array([True, None, False, True, True]),
        }
    )
    other = change(table)
    assert other.equals(table)
    assert keep_result(other, objects, tmp_path) == keep_result(table, objects, tmp_path)


@pytest.mark.parametrize("array", [np.zeros(()), np.zeros((0, 3)), np.array(["a", "bc"]), np.asfortranarray(np.ones((2, 3)))])
def test_arrays_of_any_shape_come_back(array: Any, objects: DiskObjectStore, tmp_path: Path) -> None:
    back = there_and_back(array, objects, tmp_path)
    assert back.shape == array.shape
    assert np.array_equal(back, array)


def test_numbers_of_numpy_are_numbers(objects: DiskObjectStore, tmp_path: Path) -> None:
    returned = {"a": np.float64(0.5), "n": np.int64(3), "ok": np.bool_(True)}  # noqa: FBT003 - the value is the subject
    assert there_and_back(returned, objects, tmp_path) == {"a": 0.5, "n": 3, "ok": True}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"metrics": {"auc": math.nan}}, r"value.metrics.auc of the result is nan"),
        ([1.0, math.inf], r"value\[1\] of the result is inf"),
        (np.float32(math.nan), "value of the result is nan"),
        ({1: "a"}, "key 1"),
        ({"model": object()}, "model of the result is a object"),
        ({"a": {"deep": {1, 2}}}, "value.a.deep of the result is a set"),
        (np.array([object()]), "array of Python objects"),
        (pl.LazyFrame({"x": [1]}), "LazyFrame"),
        (Path("nowhere/to/be/found"), "nowhere/to/be/found"),
        ({"": b"x"}, "name ''"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_place(value: Any, words: str, objects: DiskObjectStore, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        keep_result(value, objects, tmp_path)


def test_an_unknown_item_is_refused_with_those_that_are_known(objects: DiskObjectStore, tmp_path: Path) -> None:
    kept = keep_result({"model": b"m", "report": {}}, objects, tmp_path)
    with pytest.raises(NotFoundError, match="it has model, report"):
        read_result(kept, "modle", objects)
    with pytest.raises(NotFoundError, match="it has a"):
        read_result(keep_result({"a": 1}, objects, tmp_path), "b", objects)


def test_wrong_codecs_and_lost_bytes_are_refused(objects: DiskObjectStore) -> None:
    digest = objects.put(b"not a table")
    for codec in ("json", "arrow", "npy"):
        with pytest.raises(DataError, match=codec):
            load(codec, digest, objects)
    with pytest.raises(UsageError, match="pickle"):
        load("pickle", digest, objects)
    with pytest.raises(NotFoundError):
        load("npy", Digest("sha256:" + "0" * 64), objects)


def test_a_kept_array_of_objects_is_never_unpickled(objects: DiskObjectStore, tmp_path: Path) -> None:
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="npy"):
        load("npy", objects.put_file(path), objects)


@pytest.mark.parametrize("value", [None, 1, "text", [1, {"a": 2.5}], {"deep": {"er": [True]}}])
def test_an_inline_value_has_the_digest_that_it_would_have_in_the_store(value: Any, objects: DiskObjectStore) -> None:
    inline = keep_result(value, MemoryObjectStore(), Path(), inline_bytes=1000)["value"]
    kept = keep_result(value, objects, Path())["value"]
    assert without_inline(inline) == kept
    assert read_kept(inline, MemoryObjectStore()) == read_kept(kept, objects) == value


def test_a_file_of_the_scratch_folder_is_taken_and_keeps_its_ending(objects: DiskObjectStore, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = scratch / "rows.csv"
    made.write_text("a,b")
    inode = made.stat().st_ino
    kept = keep_result({"rows": made, "again": made}, objects, scratch)
    assert not made.exists()
    assert objects.path(Digest(kept["rows"]["digest"])).stat().st_ino == inode
    assert kept["again"] == kept["rows"]
    given_as = read_kept(kept["rows"], objects, tmp_path / "given" / "rows")
    assert (given_as.name, given_as.read_text()) == ("rows.csv", "a,b")


def test_a_folder_comes_back_with_its_files(objects: DiskObjectStore, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    (scratch / "model" / "parts").mkdir(parents=True)
    (scratch / "model" / "config.json").write_text("{}")
    (scratch / "model" / "parts" / "1.bin").write_bytes(b"\0" * 100)
    (scratch / "model" / "link.bin").symlink_to("parts/1.bin")
    returned = {"model": scratch / "model", "part": scratch / "model" / "parts" / "1.bin"}
    kept = keep_result(returned, objects, scratch)
    assert kept["model"]["codec"] == "folder"
    back = read_kept(kept["model"], objects, tmp_path / "given")
    found = {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()}
    assert found == {"config.json": b"{}", "parts/1.bin": b"\0" * 100, "link.bin": b"\0" * 100}
    assert set(read_kept(kept["model"], objects)) == set(found)
    assert is_kept(kept, objects)
    objects.delete(read_kept(kept["model"], objects)["config.json"])
    assert not is_kept(kept, objects)


def test_equal_folders_have_one_digest(objects: DiskObjectStore, tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        (tmp_path / name / "a").mkdir(parents=True)
        for file in ("a/x", "y") if name == "one" else ("y", "a/x"):
            (tmp_path / name / file).write_text(file)
        digests.add(keep_result(tmp_path / name, objects, tmp_path / "scratch")["value"]["digest"])
    assert len(digests) == 1


def test_a_folder_with_something_strange_in_it_is_refused(objects: DiskObjectStore, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "gone").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"item value .* holds gone, no plain file"):
        keep_result(tmp_path / "out", objects, tmp_path)


def test_a_model_in_onnx_comes_back(objects: DiskObjectStore) -> None:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, [1])], [value("y", 1, [1])])
    model = onnx.helper.make_model(graph)
    kept = keep_result(model, objects, Path())
    assert kept["value"]["codec"] == "onnx"
    assert read_result(kept, None, objects) == model


@pytest.mark.parametrize(
    ("returned", "names", "items"),
    [
        ((1, b"x"), ("count", "blob"), {"count": 1, "blob": b"x"}),
        ([1, 2], ("one", "two"), {"one": 1, "two": 2}),
        ({"two": 2, "one": 1}, ("one", "two"), {"one": 1, "two": 2}),
        ([1, 2], ("both",), {"both": [1, 2]}),
        ({"both": 3}, ("both",), {"both": 3}),
    ],
)
def test_declared_names_are_given_to_what_is_returned(
    returned: Any, names: tuple[str, ...], items: dict[str, Any], objects: DiskObjectStore
) -> None:
    kept = keep_result(returned, objects, Path(), names=names)
    assert list(kept) == list(names)
    assert {name: read_kept(each, objects) for name, each in kept.items()} == items


@pytest.mark.parametrize("returned", [(1,), (1, 2, 3), 5, {"one": 1}])
def test_what_does_not_fit_the_declared_names_is_refused(returned: Any, objects: DiskObjectStore) -> None:
    with pytest.raises(DataError, match="declares the results one, two and returned"):
        keep_result(returned, objects, Path(), names=("one", "two"))


def test_a_frame_of_pandas_is_a_table_and_its_index_is_not_lost_silently(objects: DiskObjectStore, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert there_and_back(frame, objects, tmp_path).to_pylist() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    with pytest.raises(DataError, match="has an index"):
        keep_result(frame.set_index("b"), objects, tmp_path)


def test_a_table_is_given_as_the_parameter_is_annotated() -> None:
    table = pa.table({"a": [1]})

    def polars_by_text(rows: "pl.DataFrame") -> None: ...

    def polars_by_class(rows: pl.DataFrame) -> None: ...

    def pandas_by_class(rows: pd.DataFrame) -> None: ...

    def plain(rows: Any) -> None: ...

    assert isinstance(as_annotated(table, polars_by_text, "rows"), pl.DataFrame)
    assert isinstance(as_annotated(table, polars_by_class, "rows"), pl.DataFrame)
    assert isinstance(as_annotated(table, pandas_by_class, "rows"), pd.DataFrame)
    assert as_annotated(table, plain, "rows") is table
    assert as_annotated(5, polars_by_class, "rows") == 5
