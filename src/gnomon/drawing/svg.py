"""Plots as SVG texts to stand in a page: colours by name, so that they follow the page's light or dark.

The same figures give the same bytes: ids are salted with a constant, and nothing tells the time.
"""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
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

INK, MUTED, RULE, CANDIDATE, CHAMPION, SURFACE, BAD = list(_COLOURS.values())[:7]
SERIES = list(_COLOURS.values())[7:]
"""Colours to draw with: each becomes a custom property of the page's style (``page.css``)."""
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
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
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


def svg(name: str, draw: Callable[[Axes], None]) -> str:
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


def floats(values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return numbers as floats, None as NaN."""
    return np.asarray(values, dtype=np.float64)


def label(text: str) -> str:
    """Return a name from the data as an axis can show it: without what XML forbids, and not too long."""
    clean = _UNPRINTABLE.sub("\ufffd", text)
    return clean if len(clean) <= 24 else f"{clean[:23]}…"
