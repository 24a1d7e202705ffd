"""The quality report as one HTML page that asks nothing of the network: styles and drawings are inside."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_BAR_WIDTH, _BAR_HEIGHT = 7, 34
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def render_page(report: Mapping[str, Any]) -> str:
    """Return the page of a report; the same report gives the same page."""
    root = resources.files("gnomon")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": _figure, "share": _share, "bars": _bars, "edge": _edge}
    template = root.joinpath("data", "statistics", "templates", "quality.html").read_text()
    style = Markup(root.joinpath("drawing", "page.css").read_text())  # noqa: S704 - ours
    return environment.from_string(template).render(report=report, style=style)


def _figure(value: float | None) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def _share(value: float) -> str:
    return "0" if value == 0 else "<0.1%" if value < 0.001 else f"{value:.1%}"


def _edge(histogram: Mapping[str, Any], place: int, column: Mapping[str, Any]) -> str:
    """Return the first (0) or last (-1) edge of a histogram in words."""
    value = float(histogram["edges"][place])
    if "histogramUnit" in column:
        try:
            return str((_EPOCH + timedelta(days=value)).date())
        except OverflowError:
            return f"day {value:g}"
    return f"{value:.4g}"


def _bars(histogram: Mapping[str, Any]) -> Markup:
    """Return a small drawing of the counts; heights are shares of the largest."""
    counts = histogram["counts"]
    most = max(counts) or 1
    drawn = []
    for place, count in enumerate(counts):
        # A bar that holds anything is seen.
        height = max(1.0, round(_BAR_HEIGHT * count / most, 1)) if count else 0
        if height:
            x, y = place * _BAR_WIDTH, _BAR_HEIGHT - height
            drawn.append(f'<rect x="{x}" y="{y:g}" width="{_BAR_WIDTH - 1}" height="{height:g}"/>')
    width = _BAR_WIDTH * len(counts)
    head = f'<svg class="bars" viewBox="0 0 {width} {_BAR_HEIGHT}" width="{width}" height="{_BAR_HEIGHT}" role="img"'
    return Markup(f'{head} aria-label="histogram" fill="var(--candidate)">{"".join(drawn)}</svg>')  # noqa: S704 - numbers only
