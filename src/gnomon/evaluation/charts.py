"""The plots of a report as SVG texts to stand in a page: colours by name, so that they follow the page's light or dark.

The same figures give the same bytes: ids are salted with a constant, and nothing tells the time.
"""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

_COLOURS = {
    "ink": "#000001",
    "muted": "#000002",
    "rule": "#000003",
    "candidate": "#000004",
    "champion": "#000005",
    "surface": "#000006",
    "bad": "#000007",
} | {f"series-{k}": f"#00001{k}" for k in range(8)}
"""Stand-ins that Matplotlib writes; each becomes the page's custom property of that name."""

_INK, _MUTED, _RULE, _CANDIDATE, _CHAMPION, _SURFACE, _BAD = list(_COLOURS.values())[:7]
_SERIES = list(_COLOURS.values())[7:]
_BY_STAND_IN = {stand_in: f"var(--{name})" for name, stand_in in _COLOURS.items()}
_STAND_IN = re.compile("|".join(_COLOURS.values()))
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gnomon",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "lines.linewidth": 1.6,
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Chart:
    """A drawn plot: ``svg`` is markup, the other texts are plain."""

    name: str
    title: str
    caption: str
    svg: str


def charts_of(report: Mapping[str, Any]) -> list[Chart]:
    """Return the charts that a report has figures for."""
    plots, model = report["plots"], report["model"]
    drawn: list[tuple[str, str, str, Callable[[Axes], None]]] = []
    if "predictedActual" in plots:
        shown, rows = len(plots["predictedActual"]["actual"]), plots["predictedActual"]["rows"]
        caption = f"{shown:,} of {rows:,} test rows, and the mean of rows with similar predictions. On the line is right."
        drawn.append(("predicted", "Predicted and actual", caption, lambda axes: _predicted(axes, plots, model["target"])))
    if plots.get("residuals", {}).get("edges"):
        caption = "Predicted minus actual. The outermost bars hold everything beyond them."
        drawn.append(("residuals", "Errors", caption, lambda axes: _residuals(axes, plots["residuals"], model["target"])))
    if "confusion" in plots:
        left_out = plots["confusion"]["leftOut"]
        rest = f" {left_out} classes with fewer rows are left out." if left_out else ""
        caption = f"Rows of each true class by the class that was answered.{rest}"
        drawn.append(("confusion", "Confusion", caption, lambda axes: _confusion(axes, plots["confusion"])))
    if plots.get("roc"):
        caption = "How many rows of the class are found, at the price of how many others."
        drawn.append(("roc", "ROC", caption, lambda axes: _roc(axes, plots["roc"])))
    if "calibration" in plots:
        of = plots["calibration"]["of"]
        caption = f"How often {of or 'the answered class'} was true where it was given that probability. On the line is honest."
        drawn.append(("calibration", "Calibration", caption, lambda axes: _calibration(axes, plots["calibration"])))
    if "overTime" in plots:
        caption = "Each point holds about as many test rows."
        drawn.append(("time", f"{plots['overTime']['metric']} over time", caption, lambda axes: _time(axes, plots["overTime"])))
    gains = report["comparison"].get(model["metric"], {}).get("gains")
    if gains:
        resamples = f"{len(gains):,} paired resamples of the test rows"
        caption = f"Relative improvement of {model['metric']} in {resamples}. The line is no change."
        drawn.append(("gains", "Improvement over the champion", caption, lambda axes: _gains(axes, gains)))
    return [Chart(name, title, caption, _svg(name, draw)) for name, title, caption, draw in drawn]


def _svg(name: str, draw: Callable[[Axes], None]) -> str:
    """Return a chart as SVG markup without prolog, its ids prefixed with its name."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Text is written as text and shown in the reader's fonts; only its width is guessed from this one.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(5.2, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    markup = content.getvalue()
    markup = _STAND_IN.sub(lambda match: _BY_STAND_IN[match[0]], markup[markup.index("<svg") :])
    return _ID.sub(lambda match: f"{match[1]}{name}-", markup)


def _predicted(axes: Axes, plots: Mapping[str, Any], target: str) -> None:
    points, means = plots["predictedActual"], plots["reliability"]
    predicted, actual = _floats(points["predicted"]), _floats(points["actual"])
    axes.plot(predicted, actual, "o", color=_CANDIDATE, markersize=2.6, markeredgewidth=0, alpha=0.35, label="test rows")
    both = np.concatenate([predicted, actual])
    span = [np.nanmin(both), np.nanmax(both)] if np.isfinite(both).any() else [0, 1]
    axes.plot(span, span, color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(_floats(means["predicted"]), _floats(means["actual"]), "o-", color=_CHAMPION, markersize=3.5, label="means")
    axes.set(xlabel=_text(f"predicted {target}"), ylabel=_text(f"actual {target}"))
    axes.legend(loc="upper left")


def _residuals(axes: Axes, residuals: Mapping[str, Any], target: str) -> None:
    edges = _floats(residuals["edges"])
    for name, colour in (("candidate", _CANDIDATE), ("champion", _CHAMPION)):
        if name in residuals:
            counts = _floats(residuals[name])
            axes.stairs(counts, edges, color=colour, linewidth=1.4, label=name)
            if name == "candidate":
                axes.stairs(counts, edges, color=colour, alpha=0.25, fill=True)
    axes.axvline(0, color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xlabel=_text(f"error of {target}"), ylabel="rows")
    axes.legend(loc="upper right")


def _confusion(axes: Axes, confusion: Mapping[str, Any]) -> None:
    classes, counts = [_text(name) for name in confusion["classes"]], _floats(confusion["counts"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    number = len(classes)
    axes.grid(visible=False)
    for row in range(number):
        for column in range(number):
            share, colour = float(shares[row, column]), _CANDIDATE if row == column else _BAD
            axes.fill(
                [column - 0.48, column + 0.48, column + 0.48, column - 0.48],
                [row - 0.48, row - 0.48, row + 0.48, row + 0.48],
                color=colour if share else _RULE,
                alpha=round(0.08 + 0.7 * share, 3) if share else 0.35,
                linewidth=0,
            )
            if number <= 8:
                axes.text(column, row, f"{int(counts[row, column]):,}", ha="center", va="center", color=_INK)
    axes.set(xlim=(-0.5, number - 0.5), ylim=(number - 0.5, -0.5), xlabel="answered", ylabel="true")
    axes.set_xticks(range(number), classes, rotation=45 if number > 5 else 0, ha="right" if number > 5 else "center")
    axes.set_yticks(range(number), classes)
    axes.spines["bottom"].set_visible(False)


def _roc(axes: Axes, curves: Sequence[Mapping[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for k, curve in enumerate(curves):
        colour = _CANDIDATE if len(curves) == 1 else _SERIES[k % len(_SERIES)]
        axes.plot(curve["falsePositive"], curve["truePositive"], color=colour, label=_text(curve["name"]))
    axes.set(xlabel="other rows taken for it", ylabel="rows of the class found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    if len(curves) <= len(_SERIES):
        axes.legend(loc="lower right")


def _calibration(axes: Axes, calibration: Mapping[str, Any]) -> None:
    rows = _floats(calibration["rows"])
    probability, frequency = _floats(calibration["probability"]), _floats(calibration["frequency"])
    axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(probability, frequency, color=_CANDIDATE)
    axes.scatter(probability, frequency, s=12 + 90 * rows / rows.max(), color=_CANDIDATE, linewidths=0, clip_on=False)
    axes.set(xlabel="probability that was given", ylabel="share that was true", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _time(axes: Axes, lines: Mapping[str, Any]) -> None:
    middle = (np.asarray(lines["start"]) + np.asarray(lines["end"])) // 2
    at = middle.astype("datetime64[us]")
    for name, colour in (("champion", _CHAMPION), ("candidate", _CANDIDATE)):
        if name in lines:
            axes.plot(at, _floats(lines[name]), "o-", color=colour, markersize=3, label=name)
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(lines["metric"])
    axes.legend(loc="best")


def _gains(axes: Axes, gains: Sequence[float]) -> None:
    percent = np.clip(100 * _floats(gains), -1000, 1000)
    axes.hist(percent, bins=40, color=_CANDIDATE, alpha=0.6, linewidth=0)
    axes.axvline(0, color=_CHAMPION, linewidth=1.6)
    axes.set(xlabel="improvement, %", ylabel="resamples")


def _floats(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return numbers as floats, None as NaN."""
    return np.asarray(values, dtype=np.float64)


def _text(text: str) -> str:
    """Return a name from the data as an axis can show it: without what XML forbids, and not too long."""
    clean = _UNPRINTABLE.sub("\ufffd", text)
    return clean if len(clean) <= 24 else f"{clean[:23]}…"
