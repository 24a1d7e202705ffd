"""What a record may hold, and its normal form: the same whichever store keeps it."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gnomon.errors import UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.records.steps import StepRecord

REVISION = "0003"
"""The migration that makes the tables of this version. Revisions are four digits and grow."""
FOLD_WINDOW = timedelta(hours=1)
"""How long equal events are counted in one. It starts with the first, so a lasting trouble shows anew each hour."""

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode_json(value: Any) -> str:
    """Return a JSON value as text.

    Raises:
        UsageError: It is not plain JSON, such as NaN, a time or an object.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(
            f"a record cannot hold {value!r:.200}: {error}", "give plain JSON values, numbers being finite"
        ) from error


def plain_json(value: Any) -> Any:
    """Return a copy of a JSON value as it comes back from a database: tuples are lists, keys are texts."""
    return json.loads(encode_json(value))


def utc(at: datetime) -> datetime:
    """Return a time in UTC.

    Raises:
        UsageError: The time does not say its zone.
    """
    if at.tzinfo is None:
        raise UsageError(f"the time {at.isoformat()} has no zone", "give an aware datetime, such as datetime.now(UTC)")
    return at.astimezone(UTC)


def clean_text(text: str) -> str:
    """Return text for people as every database can hold it: what is not Unicode (or NUL) becomes U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def last_attempts(attempts: Sequence[StepRecord]) -> Sequence[StepRecord]:
    """Return the last attempt at each step, in the order in which these started."""
    last = {step.name: step for step in sorted(attempts, key=lambda step: step.attempt)}
    return [step for step in attempts if step is last[step.name]]


def check_step(step: StepRecord) -> None:
    """Refuse what is neither a start nor an end."""
    (check_started if step.state == "running" else check_ended)(step)


def check_started(step: StepRecord) -> None:
    """Refuse a start that says anything but ``running``.

    Raises:
        UsageError: The state is another.
    """
    if step.state != "running" or step.ended_at is not None:
        raise UsageError(
            f"step {step.name} of run {step.run} starts as {step.state}", "journal its start as running, its end later"
        )


def check_ended(step: StepRecord) -> None:
    """Refuse an end that is none: only an ``end`` proves a result.

    Raises:
        UsageError: The step still runs, or it does not say when it ended.
    """
    if step.state == "running" or step.ended_at is None:
        raise UsageError(f"step {step.name} of run {step.run} ends without an end", "give a final state and ended_at")


def next_version(digest: Digest, taken: Collection[int], given: Mapping[Digest, int] | None) -> int:
    """Return the number for a digest that has none here.

    Args:
        digest: What is to be registered.
        taken: The numbers of the model's versions in these records.
        given: Numbers that others know of, by digest.
    """
    given = given or {}
    number = given.get(digest)
    if number is not None and number not in taken:
        return number
    return 1 + max((*taken, *given.values()), default=0)
