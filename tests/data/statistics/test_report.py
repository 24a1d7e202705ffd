import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from gnomon.data.snapshot import SnapshotColumn
from gnomon.data.statistics.page import render_page
from gnomon.data.statistics.report import quality_report
from gnomon.data.statistics.scan import figures
from gnomon.resources.dataset import ColumnType, DatasetSpec, Source

SPEC = DatasetSpec(source=Source(files="x.csv"), time="t")


def report_of(columns: dict[str, tuple[ColumnType, object]], targets: tuple[str, ...] = ()) -> dict:
    rows = pl.DataFrame({name: values for name, (_, values) in columns.items()}, strict=False)
    found = figures(rows.lazy(), [SnapshotColumn(name, kind, nullable=True) for name, (kind, _) in columns.items()])
    return quality_report("team/data", "sha256:" + "0" * 64, found, SPEC, targets)


def kinds(report: dict) -> dict[tuple[str, str], str]:
    return {(finding["kind"], finding["column"]): finding["severity"] for finding in report["findings"]}


@pytest.fixture(scope="module")
def troubled() -> dict:
    rng = np.random.default_rng(2)
    rows = 400
    start = datetime(2024, 1, 1, tzinfo=UTC)
    days = [start + timedelta(days=int(day)) for day in range(rows)]
    days = [day if place < 200 else day + timedelta(days=90) for place, day in enumerate(days)]
    target = rng.normal(size=rows)
    outlier = rng.normal(size=rows)
    outlier[7] = 1e12
    return report_of(
        {
            "t": ("timestamp", days),
            "y": ("float64", target),
            "told": ("float64", target * 2),
            "empty": ("float64", [None] * rows),
            "half": ("float64", [None if row % 3 else 1.0 * row for row in range(rows)]),
            "same": ("string", ["x"] * rows),
            "id": ("int64", range(rows)),
            "padded": ("string", ["a ", "b"] * (rows // 2)),
            "days": ("string", [f"2024-01-{row % 28 + 1:02}" for row in range(rows)]),
            "figures": ("string", [f"{row}.5" for row in range(rows)]),
            "outlier": ("float64", outlier),
            "infinite": ("float64", [float("inf"), *rng.normal(size=rows - 1)]),
            "<b>&\"'": ("string", ["<script>alert(1)</script>", "ok"] * (rows // 2)),
        },
        ("y", "lacking"),
    )


def test_every_trouble_is_found_and_nothing_else(troubled: dict) -> None:
    assert kinds(troubled) == {
        ("empty", "empty"): "error",
        ("missing", "half"): "warning",
        ("constant", "same"): "warning",
        ("identifier", "id"): "info",
        ("padded", "padded"): "warning",
        ("textOfDates", "days"): "warning",
        ("textOfNumbers", "figures"): "warning",
        ("extreme", "outlier"): "warning",
        ("infinite", "infinite"): "warning",
        ("gap", "t"): "warning",
        ("leakage", "told"): "warning",
    }
    assert troubled["counts"] == {"error": 1, "warning": 9, "info": 1}


def test_the_gravest_come_first(troubled: dict) -> None:
    severities = [finding["severity"] for finding in troubled["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)


def test_clean_rows_have_no_findings() -> None:
    rng = np.random.default_rng(4)
    clean = report_of({"n": ("float64", rng.normal(size=300)), "c": ("string", rng.choice(["a", "b", "c"], 300))})
    assert clean["findings"] == []
    assert set(clean["counts"].values()) == {0}


def test_repeated_rows_are_counted() -> None:
    report = report_of({"n": ("float64", [*range(90), *range(10)])})
    assert report["duplicates"] == {"share": 0.1, "exact": True}
    assert kinds(report)["duplicates", ""] == "warning"


def test_the_bars_of_a_histogram_sum_to_the_rows(troubled: dict) -> None:
    for column in troubled["columns"]:
        if "histogram" in column:
            lost = column.get("infinite", 0)
            assert sum(column["histogram"]["counts"]) == troubled["rows"] - column["missing"] - lost, column["name"]


@pytest.mark.parametrize(
    "columns",
    [
        {"n": ("float64", [])},
        {"n": ("float64", [1.0])},
        {"n": ("float64", [float("nan")] * 40)},
        {"n": ("float64", [float("inf")] * 40)},
        {"n": ("float64", [-1.7e308, 1.7e308] * 20)},
        {"n": ("int64", [-(2**63), 2**63 - 1] * 20)},
        {"b": ("boolean", [True, None] * 20)},
        {"t": ("timestamp", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)] * 20)},
        {"s": ("string", [f"🙂{row}" for row in range(3000)])},
        {f"c{place}": ("float64", [0.0] * 5) for place in range(300)},
    ],
    ids=["none", "one", "nan", "infinite", "huge", "integers", "booleans", "times", "many", "wide"],
)
def test_odd_rows_have_a_report_and_a_page(columns: dict) -> None:
    report = report_of(columns, tuple(columns))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert render_page(report).endswith("</html>")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append((tag, dict(attrs)))


def test_the_page_runs_nothing_asks_nobody_and_says_every_finding(troubled: dict) -> None:
    page = render_page(troubled)
    assert page == render_page(troubled)
    parser = Tags()
    parser.feed(page)
    assert not {tag for tag, _ in parser.seen} & {"script", "link", "img", "iframe", "b>"}
    assert not any("src" in attributes or "href" in attributes for _, attributes in parser.seen)
    assert "&lt;script&gt;alert(1)" in page
    assert page.count('class="severity') == len(troubled["findings"])
