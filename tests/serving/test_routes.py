from pathlib import Path

import pytest

from gnomon.errors import GatewayError
from gnomon.serving.routes import Route, RouteTable, Target, read_routes, write_routes


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    table = RouteTable(
        7, {"m": Route("team", Target("2", "sha256:b"), [Target("1", "sha256:a")], 1000, 2.5), "n": Route("team")}
    )
    path = tmp_path / "gateway" / "routes.json"
    assert read_routes(path) == RouteTable()
    write_routes(path, table)
    assert read_routes(path) == table
    assert [left.name for left in path.parent.iterdir() if left.is_file()] == ["routes.json"]


def test_each_write_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    write_routes(path, RouteTable(1))
    inode = path.stat().st_ino
    with path.open() as reader:
        write_routes(path, RouteTable(2))
        assert '"epoch": 1' in reader.read()
    assert (path.stat().st_ino != inode, read_routes(path).epoch) == (True, 2)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "routes.json"
    for content in (b"", b"{", b'{"epoch": "x"}', b"\xff"):
        path.write_bytes(content)
        with pytest.raises(GatewayError, match="is not a route table"):
            read_routes(path)
