"""The charts of clusters, densities, components, anomalies and forecasts; ``charts`` draws them beside the others."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from gnomon.drawing.svg import BAD, CANDIDATE, CHAMPION, MUTED, SERIES, floats, label

Drawing = tuple[str, str, str, Callable[[Axes], None]]


def structure_drawings(plots: Mapping[str, Any], target: str) -> Iterator[Drawing]:
    """Yield name, title, caption and drawing of each chart that the figures of a report suffice for."""
    if "clusters" in plots:
        clusters = plots["clusters"]
        caption = (
            f"{len(clusters['x']):,} of {clusters['rows']:,} test rows on the two directions in which they vary most. "
            f"Clusters that lie over each other here may lie apart in other directions."
        )
        yield "clusters", "Clusters", caption, lambda axes: _clusters(axes, clusters)
    if "components" in plots:
        components = plots["components"]
        caption = f"{len(components['x']):,} of {components['rows']:,} test rows."
        yield "components", "First two components", caption, lambda axes: _points(axes, components)
    if "broughtBack" in plots:
        caption = "Share of the test rows' variance that the first components bring back together."
        yield "variance", "Explained variance", caption, lambda axes: _variance(axes, plots["broughtBack"])
    if plots.get("logDensities", {}).get("edges"):
        caption = "Rows by their log-density. The outermost bars hold everything beyond them."
        yield "densities", "Log-density", caption, lambda axes: _stairs(axes, plots["logDensities"], "log-density")
    if plots.get("scores", {}).get("edges"):
        told = "by their labels" if plots["scores"]["of"] == "labels" else "by what was answered"
        caption = f"Rows by how unusual they are, {told}. The outermost bars hold everything beyond them."
        yield "scores", "Scores", caption, lambda axes: _stairs(axes, plots["scores"], "score")
    if "forecast" in plots:
        caption = "The last times of the test rows; of several series, the mean."
        yield "forecast", "Forecast and actual", caption, lambda axes: _forecast(axes, plots["forecast"], target)


def _clusters(axes: Axes, clusters: Mapping[str, Any]) -> None:
    x, y, names = floats(clusters["x"]), floats(clusters["y"]), np.asarray(clusters["cluster"])
    for cluster in np.unique(names):
        colour = SERIES[cluster % len(SERIES)]
        chosen = names == cluster
        told = f"{cluster} ({clusters['sizes'][str(cluster)]:,})"
        axes.plot(x[chosen], y[chosen], "o", color=colour, markersize=3, markeredgewidth=0, alpha=0.6, label=told)
    if len(clusters["sizes"]) <= len(SERIES):
        axes.legend(loc="best")


def _points(axes: Axes, points: Mapping[str, Any]) -> None:
    axes.plot(floats(points["x"]), floats(points["y"]), "o", color=CANDIDATE, markersize=3, markeredgewidth=0, alpha=0.5)
    axes.set(xlabel="component 1", ylabel="component 2")


def _variance(axes: Axes, variance: Mapping[str, Any]) -> None:
    axes.plot(variance["components"], floats(variance["share"]), "o-", color=CANDIDATE, markersize=4)
    axes.set(xlabel="components", ylabel="share", ylim=(-0.02, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _stairs(axes: Axes, histogram: Mapping[str, Any], what: str) -> None:
    colours = {"candidate": CANDIDATE, "champion": CHAMPION, "normal": CANDIDATE}
    for name in ("candidate", "champion", "normal", "anomalous"):
        if name in histogram:
            colour = colours.get(name, BAD)
            axes.stairs(floats(histogram[name]), floats(histogram["edges"]), color=colour, linewidth=1.4, label=name)
    axes.set(xlabel=what, ylabel="rows")
    axes.legend(loc="best")


def _forecast(axes: Axes, lines: Mapping[str, Any], target: str) -> None:
    at = np.asarray(lines["time"]).astype("datetime64[us]")
    axes.plot(at, floats(lines["actual"]), color=MUTED, linewidth=1.2, label="actual")
    axes.plot(at, floats(lines["predicted"]), color=CANDIDATE, linewidth=1.4, label="forecast")
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(label(target))
    axes.legend(loc="best")
