"""Rows become training, validation and test rows: the same rows for the same seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.resources.learning import Task
from gnomon.resources.model import Split

Rows = NDArray[np.int64]
SplitKind = Literal["time", "random", "stratified", "group"]

LEAST_TRAINING_ROWS = 10


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Indices of rows, int64, ascending - by time: in the order of time. No row is in two of them."""

    train: Rows
    validation: Rows
    test: Rows


def kind_of_split(split: Split, task: Task, time: str | None) -> SplitKind:
    """Return how rows are divided: as declared, or by time where the dataset has a time column.

    Raises:
        TrainingError: The declared way does not fit the dataset or the task.
    """
    by = split.by or ("time" if time or task == "forecasting" else "stratified" if task == "classification" else "random")
    if task == "forecasting" and by != "time":
        raise TrainingError(
            f"split.by is {by}, and a forecast is judged on later rows than it learnt from", "use split.by: time"
        )
    if by == "time" and time is None:
        raise TrainingError("split.by is time, but the dataset declares no time column", "declare spec.time in the dataset")
    if by == "stratified" and task != "classification":
        raise TrainingError(f"split.by is stratified, but the task is {task}", "use split.by: random or time")
    if by != "time" and split.gap:
        raise TrainingError(
            f"split.gap needs an order of time, but rows are divided by {by}", "use split.by: time, or drop gap"
        )
    return by


def split_rows(
    split: Split,
    by: SplitKind,
    rows: int,
    *,
    time: NDArray[np.int64] | None = None,
    classes: NDArray[np.integer[Any]] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> SplitRows:
    """Return which rows are for what.

    By time, the newest rows are test rows, the newest of the others validation rows. Rows of one moment stay together, and
    rows within ``gap`` before the first test or validation row are left out.

    Args:
        split: The declared shares, gap and seed.
        by: How rows are divided.
        rows: How many there are.
        time: For ``time``: microseconds, int64 (rows,).
        classes: For ``stratified``: index of the class, integers (rows,).
        groups: For ``group``: index of the group, int64 (rows,). Rows of one group stay together.

    Raises:
        TrainingError: A part would be empty, or there are fewer than ``LEAST_TRAINING_ROWS`` training rows.
    """
    for name, share in (("test", split.test), ("validation", split.validation)):
        if not 0 < share < 1:
            raise TrainingError(f"split.{name} is {share:.0%}", f"set split.{name} between 0% and 100%, such as 20%")
    if by == "time" and time is not None:
        parts = _by_time(split, time)
    elif by == "stratified" and classes is not None:
        parts = _drawn(split, [np.flatnonzero(classes == k) for k in range(int(classes.max(initial=0)) + 1)])
    elif by == "group" and groups is not None:
        parts = _by_group(split, groups)
    else:
        parts = _drawn(split, [np.arange(rows)])
    if len(parts.train) < LEAST_TRAINING_ROWS or not len(parts.validation) or not len(parts.test):
        raise TrainingError(
            f"{rows} rows divide into {len(parts.train)} training, {len(parts.validation)} validation and {len(parts.test)} "
            f"test rows; at least {LEAST_TRAINING_ROWS}, 1 and 1 are needed",
            "give the dataset more rows, or change split.test, split.validation and split.gap",
        )
    return parts


def _by_time(split: Split, time: NDArray[np.int64]) -> SplitRows:
    order = np.argsort(time, kind="stable")
    older, test = _newest(order, time, split.test, split.gap)
    train, validation = _newest(older, time, split.validation, split.gap)
    return SplitRows(train, validation, test)


def _newest(order: Rows, time: NDArray[np.int64], share: float, gap: timedelta) -> tuple[Rows, Rows]:
    """Return the older and the newest rows of ``order``; the newest are about ``share`` of them."""
    if not len(order):
        return order, order
    stamps = time[order]
    first = stamps[min(len(order) - 1, round(len(order) * (1 - share)))]
    begin = int(np.searchsorted(stamps, first))
    microseconds = gap // timedelta(microseconds=1)
    end = int(np.searchsorted(stamps, first - microseconds)) if microseconds else begin
    return order[:end], order[begin:]


def _by_group(split: Split, groups: NDArray[np.int64]) -> SplitRows:
    """Return parts of whole groups, drawn by the seed: a part takes the next group while that brings it nearer its share."""
    sizes = np.bincount(groups)
    drawn = np.random.default_rng(split.seed).permutation(np.flatnonzero(sizes))
    part_of = np.zeros(len(sizes), dtype=np.int8)
    tested = _next_groups(sizes[drawn], split.test * len(groups))
    left = int(sizes[drawn[tested:]].sum())
    validated = _next_groups(sizes[drawn[tested:]], split.validation * left)
    part_of[drawn[:tested]] = 2
    part_of[drawn[tested : tested + validated]] = 1
    train, validation, test = (np.flatnonzero(part_of[groups] == part) for part in range(3))
    return SplitRows(train, validation, test)


def _next_groups(sizes: NDArray[np.int64], rows: float) -> int:
    """Return how many of the first groups come nearest to a number of rows; at least one, where there are two."""
    if len(sizes) < 2:
        return 0
    return int(np.argmin(np.abs(np.cumsum(sizes[:-1]) - rows))) + 1


def _drawn(split: Split, groups: Iterable[Rows]) -> SplitRows:
    """Return parts that hold about the same share of every group."""
    draw = np.random.default_rng(split.seed)
    parts: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    for group in groups:
        shuffled = draw.permutation(group)
        tested = round(len(group) * split.test)
        validated = round((len(group) - tested) * split.validation)
        for part, chosen in zip(parts, np.split(shuffled, [len(group) - tested - validated, len(group) - tested]), strict=True):
            part.append(chosen)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    return SplitRows(train, validation, test)
