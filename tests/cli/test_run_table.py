from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from gnomon.cli.output import Format, print_rows
from gnomon.cli.run_table import newest_by_window, run_columns, run_row


def run(name: str, label: str = "", state: str = "passed", summary: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return a run as the API gives it."""
    month = {"label": label, "start": f"{label}-01T00:00:00+00:00", "end": f"{label}-28T06:00:00+00:00", "rows": 31}
    return {
        "id": name,
        "kind": "Model",
        "name": "delay",
        "namespace": "default",
        "state": state,
        "version": 3 if state == "passed" else None,
        "progress": None,
        "message": "a message",
        "startedAt": "2026-04-01T09:30:00+00:00",
        "endedAt": None if state == "running" else "2026-04-01T09:31:30+00:00",
        "revision": "c" * 40,
        "snapshot": "sha256:" + "d" * 64,
        "summary": {**({"window": month} if label else {}), **summary},
    }


JUDGED = {
    "winner": "ridge",
    "metrics": {"latencyP99": {"value": 0.5}, "rmse": {"value": 12.5, "low": 12.0}, "r2": {"value": None}},
    "gates": [{"passed": True}, {"passed": False}],
}


def printed(capsys: pytest.CaptureFixture[str], output: Format, *runs: dict[str, Any]) -> list[str]:
    print_rows([run_row(each) for each in runs], run_columns(runs), output)
    return capsys.readouterr().out.splitlines()


def test_wide_has_a_column_for_each_metric_and_what_is_measured_without_rows_comes_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    title, row = printed(capsys, Format.WIDE, run("run-1", "2013-04", summary=JUDGED))
    assert title.split() == [
        *("RUN", "OF", "WINDOW", "FROM", "UNTIL", "ROWS", "STATE", "VERSION", "WINNER", "rmse", "r2", "latencyP99"),
        *("GATES", "TOOK", "STARTED", "REVISION", "SNAPSHOT", "MESSAGE"),
    ]
    assert row.split()[:9] == [
        "run-1",
        "model/delay",
        "2013-04",
        "2013-04-01",
        "2013-04-28T06:00",
        "31",
        "passed",
        "v3",
        "ridge",
    ]
    assert "12.5" in row.split()
    assert "1 of 2" in row
    assert "0:01:30" in row


def test_runs_without_windows_have_no_column_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    title, _, _ = printed(capsys, Format.TABLE, run("run-1", summary=JUDGED), run("run-2", state="running"))
    assert title.split() == ["RUN", "OF", "STATE", "VERSION", "WINNER", "STARTED", "MESSAGE"]


def test_a_table_by_window_holds_the_newest_run_that_counts_the_oldest_window_first() -> None:
    runs = [
        run("late", "2013-02", "running"),
        run("cancelled", "2013-03", "superseded"),
        run("third", "2013-03"),
        run("second", "2013-02"),
        run("first", "2013-01"),
        run("whole"),
    ]
    assert [each["id"] for each in newest_by_window(runs)] == ["first", "late", "third"]
