"""The report as one HTML page that asks nothing of the network: styles and drawings are inside."""

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from gnomon.evaluation.charts import charts_of
from gnomon.evaluation.dag import STYLE, TEMPLATE
from gnomon.evaluation.figures import format_bytes, format_figure, format_gain


def render(report: Mapping[str, Any], template: str, style: str) -> dict[str, bytes]:
    """Return ``{"page": …}``, as a step of the pipeline; template and style are given, as parts of the key."""
    return {"page": _page(report, template, style).encode()}


def render_page(report: Mapping[str, Any]) -> str:
    """Return the page of a report. The same report gives the same page."""
    root = resources.files("gnomon").joinpath("..")
    return _page(report, root.joinpath(TEMPLATE).read_text(), root.joinpath(STYLE).read_text())


def _page(report: Mapping[str, Any], template: str, style: str) -> str:
    charts = [(chart, Markup(chart.svg)) for chart in charts_of(report)]  # noqa: S704 - drawn by us, names in it are escaped
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": _figure, "gain": _gain, "bytes": format_bytes, "params": _params, "short": _short}
    return environment.from_string(template).render(
        report=report,
        charts=charts,
        candidates=_ranked(report),
        style=Markup(style),  # noqa: S704 - ours
    )


def _ranked(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the candidates, the best of the validation rows first, those without a figure last."""
    metric = report["model"]["metric"]
    sign = 1 if report["metrics"].get(metric, {}).get("direction") == "loss" else -1

    def rank(row: Mapping[str, Any]) -> tuple[bool, float]:
        value = row["metrics"].get(metric)
        return value is None, sign * (value or 0.0)

    return sorted(report["candidates"], key=rank)


def _figure(value: float | None, metric: str = "") -> str:
    return "—" if value is None else format_figure(metric, value)


def _gain(value: float | None) -> str:
    return "—" if value is None else format_gain(value)


def _params(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in params.items())


def _short(digest: str) -> str:
    """Return the start of a digest or revision, enough to tell it from others."""
    algorithm, _, value = digest.rpartition(":")
    return f"{algorithm}:{value[:12]}" if algorithm else value[:12]
