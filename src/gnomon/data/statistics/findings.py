"""Figures become findings: what a person should look at before trusting the data, the gravest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import msgspec

from gnomon.data.statistics.columns import ColumnFigures
from gnomon.data.statistics.relations import Relation
from gnomon.data.statistics.scan import Figures
from gnomon.resources.dataset import DatasetSpec

Severity = Literal["error", "warning", "info"]
_RANK: Mapping[Severity, int] = {"error": 0, "warning": 1, "info": 2}
_ENOUGH_ROWS = 30
_MOSTLY_MISSING = 0.5
_SOME_MISSING = 0.05
_NEARLY_CONSTANT = 0.995
_NEARLY_UNIQUE = 0.95
_SUSPECT = 0.98
_MANY_DUPLICATES = 0.01
_FAR_OUT = 1e6
"""A value so many times beyond the middle half of the column is rather a mistake than an extreme."""
_GAP = 7.0
"""A hole in time this many times as long as the usual step between days with rows is told."""
_DAY_US = 86_400_000_000


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing to look at. ``figure`` is what was measured, ``mend`` what can be done about it."""

    severity: Severity
    kind: str
    column: str
    what: str
    figure: float
    mend: str


def findings(figures: Figures, spec: DatasetSpec, related: Mapping[str, Sequence[Relation]]) -> list[Finding]:
    """Return what is to be looked at.

    Args:
        figures: The figures of the snapshot.
        spec: What is declared; what its schema bounds already is told by the schema.
        related: By target of a model that uses the data: how its columns go with it.
    """
    found = [finding for column in figures.columns for finding in _of_column(column, figures.rows, spec)]
    found += _duplicates(figures)
    for target, relations in related.items():
        found += _too_good(target, relations)
    return sorted(found, key=lambda one: (_RANK[one.severity], one.kind, one.column))


def _of_column(column: ColumnFigures, rows: int, spec: DatasetSpec) -> Iterator[Finding]:
    name = column.name
    if not column.present:
        mend = "leave it out of the features, or mend the source"
        yield Finding("error", "empty", name, f"{name} is missing in all {rows:,} rows", 1.0, mend)
        return
    share = column.missing / rows
    if share >= _SOME_MISSING:
        severity: Severity = "warning" if share >= _MOSTLY_MISSING else "info"
        mend = "find out whether missing means something; a check such as avg(COLUMN is null) < 0.1 keeps watch"
        yield Finding(severity, "missing", name, f"{name} is missing in {share:.1%} of the rows", round(share, 6), mend)
    if rows < _ENOUGH_ROWS:
        return
    if column.distinct.count == 1:
        yield Finding("warning", "constant", name, f"{name} has one value in every row", 1.0, "leave it out of the features")
    yield from _of_numbers(column)
    yield from _of_texts(column)
    if name == spec.time:
        yield from _of_time(column)


def _of_numbers(column: ColumnFigures) -> Iterator[Finding]:
    numbers, name = column.numbers, column.name
    if numbers is None:
        return
    if numbers.infinite:
        told = f"{name} is infinite in {numbers.infinite:,} rows, which count as missing"
        yield Finding("warning", "infinite", name, told, float(numbers.infinite), "mend the source: a division by zero?")
    count = numbers.buckets.count
    if not count or column.distinct.count < 2:
        return
    low, middle, high = numbers.buckets.quantiles([0.25, 0.5, 0.75])
    width = high - low
    for side, extreme in (("least", numbers.least), ("greatest", numbers.most)):
        if width > 0 and abs(extreme - middle) > _FAR_OUT * width:
            told = f"the {side} value of {name} is {extreme:.6g}, and half of all lie between {low:.4g} and {high:.4g}"
            yield Finding("warning", "extreme", name, told, extreme, "give the column min and max in the schema")
    if column.type in {"int64", "int32"} and column.distinct.count >= _NEARLY_UNIQUE * column.present:
        told = f"{name} is different in nearly every row, as an identifier is"
        yield Finding("info", "identifier", name, told, float(column.distinct.count), "leave it out of the features")


def _of_texts(column: ColumnFigures) -> Iterator[Finding]:
    texts, name = column.texts, column.name
    if texts is None or column.type != "string":
        return
    present = column.present
    if texts.values and column.distinct.count > 1:
        value, count = max(texts.values.items(), key=lambda item: item[1])
        if count / present >= _NEARLY_CONSTANT:
            told = f"{name} is {value[:40]!r} in {count / present:.2%} of the rows that have it"
            yield Finding("info", "nearlyConstant", name, told, round(count / present, 6), "it tells a model little")
    if texts.padded:
        told = f"{name} has spaces at an end of {texts.padded:,} values, which makes levels of their own"
        yield Finding("warning", "padded", name, told, float(texts.padded), "strip them where the data is made")
    for kind, count, meant in (("dates", texts.dates, "timestamp"), ("numbers", texts.numbers, "float64")):
        if count >= _NEARLY_UNIQUE * present:
            told = f"{name} is text, and {count / present:.1%} of its values read as {kind}"
            yield Finding("warning", f"textOf{kind.title()}", name, told, round(count / present, 6), f"declare it as {meant}")
            return
    if column.distinct.count >= _NEARLY_UNIQUE * present:
        told = f"{name} is different in nearly every row, as an identifier or free text is"
        yield Finding("info", "identifier", name, told, float(column.distinct.count), "leave it out of the features")


def _of_time(column: ColumnFigures) -> Iterator[Finding]:
    times = column.times
    if times is None or len(times.days) < _GAP:
        return
    days = sorted(times.days)
    steps = [after - before for before, after in pairwise(days)]
    usual = sorted(steps)[len(steps) // 2]
    widest = max(range(len(steps)), key=lambda place: steps[place])
    if steps[widest] > _GAP * usual:
        start, end = (datetime.fromtimestamp(day * _DAY_US / 1e6, UTC).date() for day in days[widest : widest + 2])
        told = f"{column.name} has no rows between {start} and {end}"
        yield Finding("warning", "gap", column.name, told, float(steps[widest]), "see whether files are missing")


def _duplicates(figures: Figures) -> Iterator[Finding]:
    share = figures.sample.duplicates
    if share <= 0 or figures.rows < _ENOUGH_ROWS:
        return
    about = "" if figures.sample.is_exact else "about "
    severity: Severity = "warning" if share >= _MANY_DUPLICATES else "info"
    told = f"{about}{share:.2%} of the rows repeat another row in every column"
    mend = "declare the dataset's key, so that a row can be told from its copy; copies on both sides of a split flatter a model"
    yield Finding(severity, "duplicates", "", told, round(share, 6), mend)


def _too_good(target: str, relations: Sequence[Relation]) -> Iterator[Finding]:
    for relation in relations:
        if abs(relation.value) >= _SUSPECT:
            told = f"{relation.column} alone nearly tells {target} ({relation.measure} {relation.value:.3f})"
            mend = "see whether it is known before the prediction is asked for; if not, leave it out of the features"
            yield Finding("warning", "leakage", relation.column, told, relation.value, mend)
