"""Datasets by query: PostgreSQL, SQLite and DuckDB."""

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from gnomon.data.databases import database_of
from gnomon.data.intake import Intake, take_in
from gnomon.data.reading import scan
from gnomon.data.sources import fingerprint, list_files, on_machine
from gnomon.errors import DataError, GnomonError, StoreError
from gnomon.resources.dataset import Column, DatasetSpec, FromEnvironment, Source, Sql
from gnomon.stores.objects.memory import MemoryObjectStore
from gnomon.stores.repositories.interface import TreeEntry
from tests.data.postgres import postgres_server
from tests.data.tables import dataset_of, no_blob

PASSWORD = "hush-hush"


def query_spec(url: str | FromEnvironment, query: str, columns: tuple[Column, ...] = (), **spec: object) -> DatasetSpec:
    return DatasetSpec(source=Source(sql=Sql(url=url, query=query)), columns=columns, **spec)  # type: ignore[arg-type] # the tests' own


def read(spec: DatasetSpec) -> tuple[Intake, list[dict[str, object]]]:
    objects = MemoryObjectStore()
    intake = take_in(dataset_of(spec), (), objects, no_blob)
    rows = scan(intake.snapshot, [objects.path(file.digest) for file in intake.snapshot.files])
    return intake, rows.collect().to_dicts()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table sales (id integer, price, at text, day text, note text)")
        connection.execute("insert into sales values (1, 5, '2013-01-01 05:15:00', '2013-01-01', 'a')")
        connection.execute("insert into sales values (2, 2.5, '2013-01-02T05:15:00Z', '2013-01-02', null)")
    connection.close()
    return path


def test_sqlite_columns_have_the_types_of_all_their_values(shop: Path) -> None:
    intake, rows = read(query_spec(f"sqlite:///{shop}", "select *, null as gone from sales order by id;"))
    assert rows == [
        {
            "id": 1,
            "price": 5.0,
            "at": datetime(2013, 1, 1, 5, 15, tzinfo=UTC),
            "day": date(2013, 1, 1),
            "note": "a",
            "gone": None,
        },
        {
            "id": 2,
            "price": 2.5,
            "at": datetime(2013, 1, 2, 5, 15, tzinfo=UTC),
            "day": date(2013, 1, 2),
            "note": None,
            "gone": None,
        },
    ]
    assert (intake.paths, intake.warnings) == ((str(shop),), ())
    assert {column.name: column.type for column in intake.snapshot.columns}["price"] == "float64"


def test_the_same_rows_give_the_same_digest_and_a_key_puts_them_in_order(shop: Path) -> None:
    url = f"sqlite:///{shop}"
    first, _ = read(query_spec(url, "select id, note from sales order by id"))
    keyed, _ = read(query_spec(url, "select id, note from sales order by id desc -- newest first", key=("id",)))
    unordered, _ = read(query_spec(url, "select id, note from sales"))
    assert first.digest == keyed.digest
    assert keyed.warnings == ()
    assert ["names no order" in warning for warning in unordered.warnings] == [True]
    with sqlite3.connect(shop) as connection:
        connection.execute("update sales set note = 'b' where id = 2")
    connection.close()
    assert read(query_spec(url, "select id, note from sales order by id"))[0].digest != first.digest


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("selec 1", "syntax error"),
        ("select * from nowhere", "no such table: nowhere"),
        ("select 1; select 2", "only execute one statement"),
        ("delete from sales returning id", "refuses the query"),
        ("select 1 as a, 2 as a", "more than one column a"),
        ("select x'00' as b", "column b of the query of {shop} holds bytes"),
        ("select 1 as a union all select 'x'", "holds 1 texts and 1 numbers"),
        ("select id from sales where id > 5", "no rows"),
    ],
)
def test_sqlite_queries_that_give_no_table_are_refused(shop: Path, query: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read(query_spec(f"sqlite:///{shop}", query))
    assert told.format(shop=shop) in caught.value.cause


def test_a_database_of_the_repository_is_read_out_of_the_commit(shop: Path, tmp_path: Path) -> None:
    tree = (TreeEntry("data/shop.db", "100644", "b1", shop.stat().st_size),)
    spec = query_spec("sqlite:///data/shop.db", "select id from sales order by id")
    exported: list[str] = []

    def export(blob: str, target: Path) -> None:
        exported.append(blob)
        target.write_bytes(shop.read_bytes())

    objects = MemoryObjectStore()
    first = take_in(dataset_of(spec), tree, objects, export)
    again = take_in(dataset_of(spec), tree, objects, export, first.known)
    assert (again.digest, first.rows, exported) == (first.digest, 2, ["b1"])
    assert not spec.source.is_outside
    assert fingerprint(list_files(spec.source, tree)) == fingerprint(list_files(spec.source, tree, now_ns=1))
    with pytest.raises(DataError, match=r"the commit has no database data/shop.db"):
        take_in(dataset_of(spec), (), objects, export)
    here = on_machine(Source(sql=Sql(url="sqlite:///shop.db", query="select id from sales")), tmp_path)
    assert here.is_outside
    assert read(DatasetSpec(source=here))[0].rows == 2


def test_duckdb_is_read_and_sees_nothing_besides_its_own_tables(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table sales as select range as id, range::decimal(8, 2) / 4 as price from range(100000)")
    _, rows = read(query_spec(f"duckdb:///{path}", "select id, price, sum(id) over () as all_ids from sales", key=("id",)))
    assert (len(rows), rows[7]) == (100_000, {"id": 7, "price": 1.75, "all_ids": 4999950000})
    for query, told in (
        ("select * from '/etc/passwd'", "refuses the query"),
        ("create table other (a int)", "refuses the query"),
        ("selec", "syntax error"),
        ("select [1, 2] as pair", "column pair holds"),
    ):
        with pytest.raises(DataError, match=told):
            read(query_spec(f"duckdb:///{path}", query))
    (tmp_path / "other.duckdb").write_text("no database, though long enough to look at" * 100)
    for name, told in (("other.duckdb", "is no DuckDB database"), ("none.duckdb", "there is no database")):
        with pytest.raises(DataError, match=told):
            read(query_spec(f"duckdb:///{tmp_path / name}", "select 1"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[int]:
    with postgres_server() as port:
        yield port


@pytest.fixture
def warehouse(postgres: int, monkeypatch: pytest.MonkeyPatch) -> FromEnvironment:
    monkeypatch.setenv("WAREHOUSE_URL", f"postgresql://gnomon:{PASSWORD}@127.0.0.1:{postgres}/postgres")
    return FromEnvironment(env="WAREHOUSE_URL")


def test_postgresql_rows_come_typed_in_the_order_of_the_key(warehouse: FromEnvironment, postgres: int) -> None:
    query = """
        select g as id, (g::numeric / 4) as price, timestamptz '2013-01-01 00:00+01' as at, date '2013-01-01' as day,
            g % 2 = 0 as even, 'x'::varchar(3) as word, '{"a": 1}'::jsonb as doc, null::int as gone, g::real as small,
            '00000000-0000-0000-0000-000000000001'::uuid as mark
        from generate_series(3000, 1, -1) g
    """
    intake, rows = read(query_spec(warehouse, query, key=("id",)))
    assert len(rows) == 3000
    assert rows[1] == {
        "id": 2,
        "price": 0.5,
        "at": datetime(2012, 12, 31, 23, tzinfo=UTC),
        "day": date(2013, 1, 1),
        "even": True,
        "word": "x",
        "doc": '{"a": 1}',
        "gone": None,
        "small": 2.0,
        "mark": "00000000-0000-0000-0000-000000000001",
    }
    assert intake.paths == (f"postgresql://127.0.0.1:{postgres}/postgres",)
    assert read(query_spec(warehouse, query, key=("id",)))[0].digest == intake.digest


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("select * from nothing", 'relation "nothing" does not exist'),
        ("select 1 as a; select 2", "refuses the query"),
        ("create table made (a int)", "refuses the query"),
        ("with gone as (delete from pg_class returning 1 as a) select * from gone", "read-only transaction"),
        ("select 5 / (3 - g) as a from generate_series(1, 5) g", "division by zero"),
        ("select 1 as a, 2 as a", "more than one column a"),
        ("select array[1] as a, money '5' as m", "column a holds _int4, column m holds money"),
    ],
)
def test_what_postgresql_refuses_is_told_without_the_password(warehouse: FromEnvironment, query: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        read(query_spec(warehouse, query))
    assert told in caught.value.cause
    assert PASSWORD not in repr(caught.value)


@pytest.mark.parametrize(
    ("url", "told", "kind"),
    [
        ("postgresql://gnomon:pa%40ss-word@127.0.0.1:1/shop", "nothing listens there", StoreError),
        ("postgresql://gnomon:pa%40ss-word@no.such.host.invalid/shop", "cannot be connected to", StoreError),
        ("postgresql://gnomon:pa%40ss-word@127.0.0.1:{port}/postgres", "user or password is wrong", StoreError),
        ("postgresql://gnomon:pa%40ss-word@127.0.0.1:{port}/shop?sslmode=require", "127.0.0.1", StoreError),
        ("postgresql://gnomon:pa@ss-word@127.0.0.1:port/shop", "cannot be read", DataError),
        ("mysql://gnomon:pa%40ss-word@127.0.0.1/shop", "of no database that can be read", DataError),
        ("sqlite://pa%40ss-word", "names no file", DataError),
        ("", "the operator's environment has no WAREHOUSE_URL", DataError),
    ],
)
def test_addresses_that_lead_nowhere_are_told_without_their_password(
    postgres: int, monkeypatch: pytest.MonkeyPatch, url: str, told: str, kind: type[GnomonError]
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", url.format(port=postgres))
    with pytest.raises(kind) as caught:
        read(query_spec(FromEnvironment(env="WAREHOUSE_URL"), "select 1 as a"))
    chain: BaseException | None = caught.value
    assert told in str(chain)
    while chain is not None:
        assert "ss-word" not in repr(chain)
        chain = chain.__cause__


def test_a_database_does_not_show_its_password() -> None:
    sql = Sql(url=FromEnvironment(env="DB"), query="select 1")
    database = database_of(sql, {"DB": f"postgres://gnomon:{PASSWORD}@db/shop?sslpassword=key-words"})
    assert database.name == "postgresql://db:5432/shop"
    assert PASSWORD not in repr(database)
    assert database.told(f"bad {PASSWORD}\n and key-words") == "bad *** and ***"
    assert os.environ.get("DB") is None
