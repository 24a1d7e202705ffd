"""Which windows of a snapshot are wanted: complete ones that hold rows, the newest, and past ones as far as asked for."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from gnomon.data.window_index import Slice, SnapshotIndex
from gnomon.data.windows import Window, Windows
from gnomon.resources import model as declared

MOST_WINDOWS = 1000
"""The most windows that one model may come to; each is a whole run."""

_NEARLY = 100
"""Where no lateness is declared, this part of a window may be without rows at its end."""


@dataclass(frozen=True)
class WantedWindows:
    """The windows to train on, the oldest first.

    ``incomplete`` is the first window that has rows, but for which more are awaited. ``has_more`` says that more windows are
    asked for than may be.
    """

    slices: tuple[Slice, ...]
    incomplete: Window | None
    reached: datetime | None
    has_more: bool = False


def windows_of(spec: declared.Window) -> Windows:
    """Return the arithmetic of declared windows."""
    return Windows(spec.span, spec.step, spec.origin)


@lru_cache(maxsize=1024)
def wanted_windows(spec: declared.Window, index: SnapshotIndex) -> WantedWindows:
    """Return the windows that are wanted of a snapshot.

    A window is complete when rows reach its end and the declared lateness, or when it ends by ``closedUntil``; where no
    lateness is declared, when rows reach it nearly, for few sources have a row in the last minute of a month. The clock on
    the wall has no say in it. Windows without rows are left out.
    """
    windows, backfill = windows_of(spec), spec.backfill
    most = 1 if backfill is None else backfill.windows or MOST_WINDOWS + 1
    since = backfill.since if backfill is not None else None
    found: list[Window] = []
    seen: set[Window] = set()
    incomplete: Window | None = None
    for part in reversed(index.held_parts()):
        news = [window for window in windows.around(part) if window not in seen]
        seen.update(news)
        for window in reversed(news):
            if not _is_complete(window, spec, index.reached):
                incomplete = window
            elif (since is None or window.start >= since) and len(found) < most:
                found.append(window)
        if len(found) == most or (since is not None and part < since):
            break
    slices = tuple(index.slice_of(window) for window in sorted(found))
    return WantedWindows(slices[-MOST_WINDOWS:], incomplete, index.reached, has_more=len(found) > MOST_WINDOWS)


def _is_complete(window: Window, spec: declared.Window, reached: datetime | None) -> bool:
    if spec.closed_until is not None and window.end <= spec.closed_until:
        return True
    wanted = window.end - (window.end - window.start) / _NEARLY if spec.lateness is None else window.end + spec.lateness
    return reached is not None and wanted <= reached
