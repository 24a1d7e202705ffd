"""A report's figures become its charts: which ones there are, and what stands in each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from gnomon.drawing.svg import BAD, CANDIDATE, CHAMPION, INK, MUTED, RULE, SERIES, Chart, floats, label, svg
from gnomon.evaluation.explanation_charts import explanation_drawings
from gnomon.evaluation.structure_charts import structure_drawings


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
    if plots.get("precisionRecall"):
        caption = "How many answers are right, as more rows of the class are found. Chance is its share, the broken line."
        curves = plots["precisionRecall"]
        drawn.append(("precision", "Precision and recall", caption, lambda axes: _precision_recall(axes, curves)))
    if "calibration" in plots:
        of = plots["calibration"]["of"]
        caption = f"How often {of or 'the answered class'} was true where it was given that probability. On the line is honest."
        drawn.append(("calibration", "Calibration", caption, lambda axes: _calibration(axes, plots["calibration"])))
    drawn += explanation_drawings(report)
    drawn += structure_drawings(plots, model["target"] or "")
    if "overTime" in plots:
        caption = "Each point holds about as many test rows."
        drawn.append(("time", f"{plots['overTime']['metric']} over time", caption, lambda axes: _time(axes, plots["overTime"])))
    gains = report["comparison"].get(model["metric"], {}).get("gains")
    if gains:
        resamples = f"{len(gains):,} paired resamples of the test rows"
        caption = f"Relative improvement of {model['metric']} in {resamples}. The line is no change."
        drawn.append(("gains", "Improvement over the champion", caption, lambda axes: _gains(axes, gains)))
    return [Chart(name, title, caption, svg(name, draw)) for name, title, caption, draw in drawn]


def _predicted(axes: Axes, plots: Mapping[str, Any], target: str) -> None:
    points, means = plots["predictedActual"], plots["reliability"]
    predicted, actual = floats(points["predicted"]), floats(points["actual"])
    axes.plot(predicted, actual, "o", color=CANDIDATE, markersize=2.6, markeredgewidth=0, alpha=0.35, label="test rows")
    both = np.concatenate([predicted, actual])
    span = [np.nanmin(both), np.nanmax(both)] if np.isfinite(both).any() else [0, 1]
    axes.plot(span, span, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(floats(means["predicted"]), floats(means["actual"]), "o-", color=CHAMPION, markersize=3.5, label="means")
    axes.set(xlabel=label(f"predicted {target}"), ylabel=label(f"actual {target}"))
    axes.legend(loc="upper left")


def _residuals(axes: Axes, residuals: Mapping[str, Any], target: str) -> None:
    edges = floats(residuals["edges"])
    for name, colour in (("candidate", CANDIDATE), ("champion", CHAMPION)):
        if name in residuals:
            counts = floats(residuals[name])
            axes.stairs(counts, edges, color=colour, linewidth=1.4, label=name)
            if name == "candidate":
                axes.stairs(counts, edges, color=colour, alpha=0.25, fill=True)
    axes.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.set(xlabel=label(f"error of {target}"), ylabel="rows")
    axes.legend(loc="upper right")


def _confusion(axes: Axes, confusion: Mapping[str, Any]) -> None:
    classes, counts = [label(name) for name in confusion["classes"]], floats(confusion["counts"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    number = len(classes)
    axes.grid(visible=False)
    for row in range(number):
        for column in range(number):
            share, colour = float(shares[row, column]), CANDIDATE if row == column else BAD
            axes.fill(
                [column - 0.48, column + 0.48, column + 0.48, column - 0.48],
                [row - 0.48, row - 0.48, row + 0.48, row + 0.48],
                color=colour if share else RULE,
                alpha=round(0.08 + 0.7 * share, 3) if share else 0.35,
                linewidth=0,
            )
            if number <= 8:
                axes.text(column, row, f"{int(counts[row, column]):,}", ha="center", va="center", color=INK)
    axes.set(xlim=(-0.5, number - 0.5), ylim=(number - 0.5, -0.5), xlabel="answered", ylabel="true")
    axes.set_xticks(range(number), classes, rotation=45 if number > 5 else 0, ha="right" if number > 5 else "center")
    axes.set_yticks(range(number), classes)
    axes.spines["bottom"].set_visible(False)


def _roc(axes: Axes, curves: Sequence[Mapping[str, Any]]) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for k, curve in enumerate(curves):
        colour = CANDIDATE if len(curves) == 1 else SERIES[k % len(SERIES)]
        axes.plot(curve["falsePositive"], curve["truePositive"], color=colour, label=label(curve["name"]))
    axes.set(xlabel="other rows taken for it", ylabel="rows of the class found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    if len(curves) <= len(SERIES):
        axes.legend(loc="lower right")


def _precision_recall(axes: Axes, curves: Sequence[Mapping[str, Any]]) -> None:
    for k, curve in enumerate(curves):
        colour = CANDIDATE if len(curves) == 1 else SERIES[k % len(SERIES)]
        axes.plot(curve["recall"], curve["precision"], color=colour, label=label(curve["name"]))
        axes.axhline(curve["share"], color=MUTED if len(curves) == 1 else colour, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set(xlabel="rows of the class found", ylabel="answers that are right", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    if len(curves) <= len(SERIES):
        axes.legend(loc="best")


def _calibration(axes: Axes, calibration: Mapping[str, Any]) -> None:
    rows = floats(calibration["rows"])
    probability, frequency = floats(calibration["probability"]), floats(calibration["frequency"])
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(probability, frequency, color=CANDIDATE)
    axes.scatter(probability, frequency, s=12 + 90 * rows / rows.max(), color=CANDIDATE, linewidths=0, clip_on=False)
    axes.set(xlabel="probability that was given", ylabel="share that was true", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _time(axes: Axes, lines: Mapping[str, Any]) -> None:
    middle = (np.asarray(lines["start"]) + np.asarray(lines["end"])) // 2
    at = middle.astype("datetime64[us]")
    for name, colour in (("champion", CHAMPION), ("candidate", CANDIDATE)):
        if name in lines:
            axes.plot(at, floats(lines[name]), "o-", color=colour, markersize=3, label=name)
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(lines["metric"])
    axes.legend(loc="best")


def _gains(axes: Axes, gains: Sequence[float]) -> None:
    percent = np.clip(100 * floats(gains), -1000, 1000)
    axes.hist(percent, bins=40, color=CANDIDATE, alpha=0.6, linewidth=0)
    axes.axvline(0, color=CHAMPION, linewidth=1.6)
    axes.set(xlabel="improvement, %", ylabel="resamples")
