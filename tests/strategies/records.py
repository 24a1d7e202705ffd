"""Records with any content that they may have."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Condition, Status
from gnomon.stores.records.interface import (
    ReleaseMark,
    ResourceRecord,
    RunRecord,
    SnapshotRecord,
    StepRecord,
    VersionRecord,
)

# Half of a surrogate pair and NUL are replaced where text is kept for people, and refused elsewhere.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(texts, children, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
times = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - bounds have no zone, values do
    datetime(2100, 1, 1),  # noqa: DTZ001 - likewise
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]),
)
digests = st.binary(min_size=32, max_size=32).map(lambda content: Digest(f"sha256:{content.hex()}"))
revisions = st.binary(min_size=20, max_size=20).map(lambda content: Revision(content.hex()))
counts = st.integers(0, 2**63 - 1)


def keys(kind: str) -> st.SearchStrategy[ResourceKey]:
    """Return keys of a kind."""
    return st.builds(ResourceKey, st.just(kind), texts, texts)


conditions = st.builds(
    Condition,
    type=st.sampled_from(["Ready", "Reconciling", "Stalled"]),
    status=st.sampled_from(["True", "False", "Unknown"]),
    reason=texts,
    message=texts,
    last_transition_time=times,
    observed_generation=counts,
)
statuses = st.builds(
    Status,
    observed_generation=counts,
    observed_revision=st.none() | revisions,
    conditions=st.lists(conditions, max_size=3).map(tuple),
    details=json_objects,
)
resources = st.builds(
    ResourceRecord,
    key=keys("Model"),
    declaration=json_objects,
    spec_digest=texts,
    generation=counts,
    path=texts,
    line=counts,
    blob=texts,
    revision=revisions,
    status=statuses,
)
runs = st.builds(
    RunRecord,
    id=texts,
    owner=keys("Model") | keys("Pipeline"),
    fingerprint=texts,
    revision=revisions,
    snapshot=digests,
    state=st.sampled_from(["running", "passed", "refused", "failed", "superseded"]),
    reason=texts,
    message=texts,
    started_at=times,
    ended_at=st.none() | times,
    artifact=st.none() | digests,
    version=st.none() | counts,
    champion=st.none() | digests,
    report=st.none() | digests,
    report_page=st.none() | digests,
    summary=json_objects,
)
ended_steps = st.builds(
    StepRecord,
    run=texts,
    name=texts,
    attempt=counts,
    key=texts,
    state=st.sampled_from(["done", "cached", "failed", "killed", "timed-out", "cancelled"]),
    process=texts,
    started_at=times,
    ended_at=times,
    result=st.none() | json_objects,
    error=texts,
    log=st.none() | digests,
    cpu_s=st.floats(0, 1e9),
    peak_rss_bytes=counts,
    reason=st.sampled_from(["", "error", "memory", "timeout", "signal", "lost"]),
    parts=st.none() | json_objects,
)
versions = st.builds(
    VersionRecord,
    model=keys("Model"),
    version=st.just(1),
    digest=digests,
    run=texts,
    created_at=times,
    metrics=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
snapshots = st.builds(
    SnapshotRecord,
    dataset=keys("Dataset"),
    digest=digests,
    revision=revisions,
    rows=counts,
    size_bytes=counts,
    created_at=times,
    paths=st.lists(texts, max_size=3).map(tuple),
)
release_marks = st.builds(
    ReleaseMark, service=keys("Service"), sequence=counts, withdrawn=st.lists(digests, max_size=3).map(tuple)
)
