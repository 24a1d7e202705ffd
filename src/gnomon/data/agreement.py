"""What the files hold becomes the columns of the snapshot: those that all share, and that the last snapshot had.

Without a schema the last snapshot's columns bind: a new one is left out with a warning, one that is lost or of another type
stops everything, so that a renamed header never changes in silence what a service asks of its callers. A type that widens,
such as from whole numbers to fractions, only warns. ``accept`` names the columns of which a change is meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.data.profile import FileProfile, FoundColumn
from gnomon.errors import DataError
from gnomon.resources.dataset import ColumnType

_MOST_PROBLEMS = 20
_TEXT_FORMATS = frozenset({"csv", "jsonl"})


@dataclass(frozen=True)
class AgreedColumn:
    """One column of all files."""

    name: str
    type: ColumnType
    has_missing: bool


def agreed_columns(
    profiles: Mapping[str, FileProfile], last: Mapping[str, ColumnType] | None, accept: Sequence[str]
) -> tuple[tuple[AgreedColumn, ...], tuple[str, ...]]:
    """Return the columns of a snapshot without a schema, and what should be looked at.

    Args:
        profiles: By file: what it holds.
        last: The types of the last snapshot by column, in its order; None where there is none.
        accept: The columns of which a change is meant.

    Raises:
        DataError: The files do not agree with each other or with the last snapshot.
    """
    if last is None:
        return _of_files(profiles, [column.name for column in next(iter(profiles.values())).columns]), ()
    everywhere = [
        column.name
        for column in next(iter(profiles.values())).columns
        if all(any(c.name == column.name for c in p.columns) for p in profiles.values())
    ]
    wanted = [name for name in last if name not in accept or name in everywhere]
    wanted += [name for name in everywhere if name in accept and name not in last]
    _require_all(profiles, wanted)
    warnings = []
    added = sorted({c.name for p in profiles.values() for c in p.columns} - set(wanted))
    if added:
        warnings.append(
            f"not in the last snapshot and left out: {', '.join(added)} (to take them in, declare a schema, "
            f"or add them to spec.accept)"
        )
    columns: list[AgreedColumn] = []
    problems = []
    for name in wanted:
        before = last.get(name)
        if before is None or name in accept:
            columns += _of_files(profiles, [name])
            continue
        now = _evolved(before, _found(profiles, name))
        if now is None:
            problems.append(_retyped(name, before, _found(profiles, name)))
            continue
        if now != before:
            warnings.append(f"column {name} was {before} in the last snapshot and is {now} now")
        columns.append(AgreedColumn(name, now, any(c.missing for c, _ in _found(profiles, name).values())))
    if problems:
        raise DataError(
            "; ".join(problems[:_MOST_PROBLEMS]),
            "correct the files; or, where the change is meant, declare a schema, or name the columns in spec.accept",
        )
    return tuple(columns), tuple(warnings)


_Found = Mapping[str, tuple[FoundColumn, bool]]
"""By file: a column, and whether the file holds it as text."""


def _found(profiles: Mapping[str, FileProfile], name: str) -> _Found:
    return {path: (next(c for c in p.columns if c.name == name), p.format in _TEXT_FORMATS) for path, p in profiles.items()}


def _evolved(before: ColumnType, found: _Found) -> ColumnType | None:
    """Return the type that holds the last snapshot's values and those of every file, or None where there is none."""
    now = before
    for column, is_text in found.values():
        if column.type is None or (is_text and now == "string"):
            continue
        wider = _union(now, column.type)
        if wider is None:
            return None
        now = wider
    return now


def _retyped(name: str, before: ColumnType, found: _Found) -> str:
    files = [path for path, (c, is_text) in found.items() if _evolved(before, {path: (c, is_text)}) is None]
    types = sorted({str(found[path][0].type) for path in files})
    more = f" and {len(files) - 3} more files" if len(files) > 3 else ""
    return f"column {name} was {before} in the last snapshot and is {', '.join(types)} in {', '.join(files[:3])}{more}"


def _require_all(profiles: Mapping[str, FileProfile], wanted: Sequence[str]) -> None:
    problems = []
    changed: set[str] = set()
    for path, profile in profiles.items():
        names = {column.name for column in profile.columns}
        lost = [name for name in wanted if name not in names]
        if lost:
            new = sorted(names - set(wanted))
            problems.append(f"{path} lacks {', '.join(lost)}" + (f" and has besides {', '.join(new)}" if new else ""))
            changed.update(lost, new)
    if problems:
        more = f"; and {len(problems) - _MOST_PROBLEMS} more files" if len(problems) > _MOST_PROBLEMS else ""
        raise DataError(
            f"compared with the last snapshot, {'; '.join(problems[:_MOST_PROBLEMS])}{more}",
            "correct the files; or, where the change is meant, declare a schema, or write "
            f"accept: [{', '.join(sorted(changed))}] in the spec",
        )


def _of_files(profiles: Mapping[str, FileProfile], wanted: Sequence[str]) -> tuple[AgreedColumn, ...]:
    """Return columns that all files must share; the first file says which and in what order."""
    (first_path, first), *others = profiles.items()
    names = {column.name for column in first.columns}
    problems = []
    for path, found in others if len(wanted) == len(names) else ():
        here = {column.name for column in found.columns}
        if here != names:
            lacks = [f"lacks {', '.join(sorted(names - here))}"] if names - here else []
            has = [f"has besides {', '.join(sorted(here - names))}"] if here - names else []
            problems.append(f"{path} {' and '.join(lacks + has)}, compared with {first_path}")
    if problems:
        raise DataError(
            "; ".join(problems[:_MOST_PROBLEMS]), "give all files the same columns, or declare a schema of those they share"
        )
    return tuple(_agreed_column(name, profiles) for name in wanted)


def _agreed_column(name: str, profiles: Mapping[str, FileProfile]) -> AgreedColumn:
    found = {path: next(c for c in p.columns if c.name == name) for path, p in profiles.items()}
    agreed: ColumnType | None = None
    since = ""
    for path, column in found.items():
        if column.type is not None:
            union = column.type if agreed is None else _union(agreed, column.type)
            if union is None:
                raise DataError(
                    f"column {name} is {agreed} in {since}, {column.type} in {path}",
                    "correct the files, or declare the column's type in the schema",
                )
            since = since if union == agreed else path
            agreed = union
    return AgreedColumn(name, agreed or "string", any(column.missing for column in found.values()))


def _union(one: ColumnType, other: ColumnType) -> ColumnType | None:
    both = {one, other}
    if len(both) == 1:
        return one
    if both == {"int32", "int64"}:
        return "int64"
    if both <= {"int32", "int64", "float32", "float64"}:
        return "float64"
    return "timestamp" if both == {"date", "timestamp"} else None
