"""The charts that explain a model: which columns matter, and what its answer is by their values."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from gnomon.drawing.svg import CANDIDATE, MUTED, floats, label

Drawing = tuple[str, str, str, Callable[[Axes], None]]
_MOST_BARS = 12


def explanation_drawings(report: Mapping[str, Any]) -> Iterator[Drawing]:
    """Yield name, title, caption and drawing of each chart."""
    found = report["importance"]
    if found is not None and found["columns"]:
        shown = found["columns"][:_MOST_BARS]
        caption = (
            f"How much the mean {found['loss']} of {found['rows']:,} test rows grows from {found['mean']:.4g} when a column is "
            f"shuffled ({found['repeats']} times), with 95% intervals. Columns that tell the same cover for each other."
        )
        yield "importance", "What matters", caption, lambda axes: _bars(axes, shown)
    for k, each in enumerate(report["dependence"]):
        caption = (
            f"Mean {each['of']} where every row has this {each['column']}; thin lines are {len(each['rows'])} single rows."
        )
        yield f"dependence-{k}", f"By {each['column']}", caption, _line(each)


def _line(each: Mapping[str, Any]) -> Callable[[Axes], None]:
    return lambda axes: _dependence(axes, each)


def _bars(axes: Axes, columns: list[Mapping[str, Any]]) -> None:
    places = np.arange(len(columns))[::-1]
    value = floats([each["increase"] for each in columns])
    low, high = floats([each["low"] for each in columns]), floats([each["high"] for each in columns])
    axes.barh(places, value, color=CANDIDATE, alpha=0.6, linewidth=0, height=0.65)
    axes.hlines(places, low, high, color=MUTED, linewidth=1.2)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.set_yticks(places, [label(each["column"]) for each in columns])
    axes.set_xlabel("growth of the mean loss")
    axes.grid(visible=False, axis="y")


def _dependence(axes: Axes, each: Mapping[str, Any]) -> None:
    places: Any = np.arange(len(each["values"]))
    if each["kind"] in {"float", "integer"}:
        places = floats(each["values"])
    elif each["kind"] == "timestamp":
        places = np.asarray(each["values"]).astype("datetime64[us]")
    for line in each["rows"]:
        axes.plot(places, floats(line), color=MUTED, linewidth=0.5, alpha=0.5)
    axes.plot(places, floats(each["mean"]), "o-", color=CANDIDATE, markersize=3.5)
    if each["kind"] in {"string", "boolean"}:
        axes.set_xticks(places, [label(str(value)) for value in each["values"]], rotation=30, ha="right")
    elif each["kind"] == "timestamp":
        locator = AutoDateLocator(maxticks=7)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set(xlabel=label(each["column"]), ylabel=label(each["of"]))
