import copy
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

import gnomon
from gnomon.evaluation.charts import charts_of
from gnomon.evaluation.dag import STYLE, TEMPLATE
from gnomon.evaluation.page import render, render_page
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact, make_classifier
from tests.evaluation.reports import report_of
from tests.evaluation.tables import classification_table, hurry, regression_table

HOSTILE = "<script>alert(1)</script> $\\frac{1}{2}$ & 東京 \x07"
SOURCE = Path(gnomon.__file__).parents[1]
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects what a browser would see: tags, addresses, ids, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "action", "data", "srcset", "poster"}:
                self.addresses.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module", autouse=True)
def _hurry() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        hurry(monkeypatch)
        yield


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("regression")
    store = OciLayout(folder)
    gates = [{"metric": "rmse", "against": "champion", "improveBy": "1%", "confidence": 0.9}, {"metric": "r2", "min": 0.99}]
    return report_of(folder, regression_table(), make_artifact(store), make_artifact(store, 1.3), gates)


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("classification")
    return report_of(folder, classification_table(), make_classifier(OciLayout(folder)), None)


@pytest.fixture(scope="module")
def regression_page(regression: dict[str, Any]) -> str:
    return render_page(regression)


@pytest.fixture(scope="module")
def classification_page(classification: dict[str, Any]) -> str:
    return render_page(classification)


def test_a_page_asks_nothing_of_the_network(regression_page: str, classification_page: str) -> None:
    for page in (regression_page, classification_page):
        assert all(address.startswith("#") for address in Page(page).addresses)
        assert not {"script", "link", "iframe", "img", "object"} & set(Page(page).tags)
        assert "default-src 'none'" in page
        assert not re.search(r"url\((?!#)|@import", page)


def test_every_element_is_closed_and_every_id_is_its_own(regression_page: str, classification_page: str) -> None:
    for text in (regression_page, classification_page):
        page = Page(text)
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))
        assert {address.removeprefix("#") for address in page.addresses} <= set(page.ids)


def test_the_same_report_gives_the_same_page(regression: dict[str, Any], regression_page: str) -> None:
    assert render(regression, (SOURCE / TEMPLATE).read_text(), (SOURCE / STYLE).read_text()) == {
        "page": regression_page.encode()
    }


def test_a_page_shows_gates_metrics_candidates_and_origin(regression: dict[str, Any], regression_page: str) -> None:
    page = regression_page
    for gate in regression["gates"]:
        assert gate["description"].replace(">", "&gt;") in page
    for text in (
        "✗ refused",
        "the rows do not suffice",
        regression["revision"],
        regression["snapshot"],
        regression["artifact"],
    ):
        assert text in page
    best, worse, broken = (page.index(f'<td class="nowrap">{name}</td>') for name in ("best", "worse", "broken"))
    assert best < worse < broken


def test_drawings_take_their_colours_from_the_page(
    regression: dict[str, Any], classification: dict[str, Any], regression_page: str
) -> None:
    declared = set(re.findall(r"(--[a-z0-9-]+):", regression_page))
    charts = [*charts_of(regression), *charts_of(classification)]
    explained = ["importance", "dependence-0"]
    names = ["predicted", "residuals", *explained, "time", "gains", "confusion", "roc", "precision", "calibration", *explained]
    assert [chart.name for chart in charts] == names
    for chart in charts:
        ET.fromstring(chart.svg)
        assert set(re.findall(r"var\((--[a-z0-9-]+)\)", chart.svg)) <= declared
        assert not re.findall(r"#0000\d\d", chart.svg)
        assert "<text" in chart.svg


def test_names_from_the_data_are_text_only(classification: dict[str, Any]) -> None:
    classification = copy.deepcopy(classification)
    plots = classification["plots"]
    plots["confusion"]["classes"][0] = plots["roc"][0]["name"] = plots["perClass"][0]["name"] = HOSTILE
    plots["calibration"]["of"] = classification["model"]["target"] = HOSTILE
    page = Page(render_page(classification))
    assert "script" not in page.tags
    assert page.open == []
    for chart in charts_of(classification):
        ET.fromstring(chart.svg)


def test_a_first_version_has_no_champion_to_show(classification_page: str) -> None:
    assert "there is no champion yet" in classification_page
    assert "Improvement" not in classification_page


def test_a_champion_that_cannot_be_compared_is_told(tmp_path: Path) -> None:
    artifact = make_artifact(OciLayout(tmp_path))
    missing = Digest("sha256:" + "0" * 64)
    report = report_of(tmp_path, regression_table(), artifact, missing, [{"metric": "rmse", "against": "champion"}])
    page = render_page(report)
    assert "cannot be compared" in page
    assert "✗ refused" in page


def test_figures_that_could_not_be_measured_are_told(tmp_path: Path) -> None:
    table = regression_table().set_column(3, "y", pa.array([1.0] * 400))
    report = report_of(tmp_path, table.slice(0, 2), make_artifact(OciLayout(tmp_path)), None)
    assert report["test"]["rows"] == 1
    page = render_page(report)
    assert "the target is constant on these rows" in page


def test_answers_that_are_no_numbers_still_give_a_page(tmp_path: Path) -> None:
    table = regression_table().set_column(0, "x", pa.array([3e38] * 400))
    store = OciLayout(tmp_path)
    report = report_of(tmp_path, table, make_artifact(store, 10.0), make_artifact(store, 20.0))
    assert "is not a finite number" in render_page(report)
