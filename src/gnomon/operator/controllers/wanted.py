"""What a model wants: the one run over all rows, or one run for each window that is wanted of its dataset's snapshot."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from gnomon.data.wanted_windows import MOST_WINDOWS, WantedWindows, wanted_windows, windows_of
from gnomon.data.windows import Window
from gnomon.operator.actions import IndexRequest, IndexWindows, RunWindow
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.fingerprint import Fingerprint, NamedSpec, model_fingerprint
from gnomon.operator.outcomes import Outcome, Stalled, Waiting
from gnomon.operator.state import Desired, Intake, Observed
from gnomon.resources.compiled import Declared
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.quantities import format_moment
from gnomon.stores.records.interface import RunRecord

LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True)
class WantedRun:
    """A run that a model should have: what its result depends on, the snapshot to read, the window of it to learn from."""

    fingerprint: Fingerprint
    snapshot: Digest
    window: RunWindow | None = None


@dataclass(frozen=True)
class WantedRuns:
    """The runs that a model should have: one over all rows, or one for each window, the oldest first."""

    runs: tuple[WantedRun, ...]
    windows: WantedWindows | None = None


@dataclass(frozen=True)
class _Data:
    """A dataset whose last good snapshot is of what is declared and lies there now."""

    dataset: Dataset
    snapshot: Digest


def wanted_runs(model: Model, desired: Desired, observed: Observed, now: datetime) -> WantedRuns | Decision:
    """Return the runs that a model should have, or what must come before that can be said."""
    data = _data_of(model, desired, observed)
    if data is None:
        return Decision(_waits_for_data(model, desired, observed))
    named = NamedSpec(desired.compiled.declared[model.key].spec_digest, model.spec)
    code = _code_of(model, desired, observed)
    if isinstance(code, Stalled):
        return Decision(code)
    request = _index_request(model, data.dataset)
    if model.spec.window is None or request is None:
        fingerprint = model_fingerprint(named, data.dataset.spec, data.snapshot, code)
        return WantedRuns((WantedRun(fingerprint, data.snapshot),))
    found = observed.indexes.get(request)
    if found is None or found.snapshot != data.snapshot or found.index is None:
        return _waits_for_index(request, data.snapshot, observed, now)
    wanted = wanted_windows(model.spec.window, found.index)
    if wanted.has_more:
        cause = f"spec.window.backfill.since asks for more than {MOST_WINDOWS:,} windows"
        return Decision(Stalled("TooManyWindows", f"{cause}: write a later moment, or longer steps"))
    if not wanted.slices:
        return Decision(Waiting(LOOK_AGAIN, "NoCompleteWindow", _why_none(model, wanted)))
    runs = []
    for each in wanted.slices:
        name = f"{each.window.start.isoformat()}/{each.window.end.isoformat()}"
        fingerprint = model_fingerprint(named, data.dataset.spec, each.digest, code, name)
        newest = wanted.slices[-1].window.end
        runs.append(WantedRun(fingerprint, data.snapshot, RunWindow(each.window, each.rows, found.index.digest, newest)))
    return WantedRuns(tuple(runs), wanted)


def index_requests(desired: Desired) -> Iterator[IndexRequest]:
    """Yield what must be known of the declared datasets' rows by event time, each once."""
    seen = set()
    for _, model in desired.models():
        declared = desired.compiled.declared.get(_dataset_key(model))
        dataset = declared.resource if declared is not None else None
        request = _index_request(model, dataset) if isinstance(dataset, Dataset) else None
        if request is not None and request not in seen:
            seen.add(request)
            yield request


def shortage_note(model: Model, wanted: WantedWindows) -> str:
    """Return why there are fewer windows than are asked for; nothing where there are as many."""
    backfill = model.spec.window.backfill if model.spec.window is not None else None
    if backfill is None or backfill.windows is None or len(wanted.slices) == backfill.windows:
        return ""
    note = f"{backfill.windows} are asked for"
    return f"{note}, and {_incomplete(wanted)}" if wanted.incomplete is not None else f"{note}, and no other holds rows"


def _incomplete(wanted: WantedWindows) -> str:
    """Return which window waits for more rows, and what for; nothing where none does."""
    if wanted.incomplete is None:
        return ""
    mend = "; if no more rows will come, spec.window.closedUntil says so"
    return f"window {wanted.incomplete} is not complete: {_reached(wanted, wanted.incomplete)}{mend}"


def _reached(wanted: WantedWindows, window: Window) -> str:
    reached = "its rows lie out of time" if wanted.reached is None else f"rows reach {format_moment(wanted.reached)}"
    return f"{reached}, and it ends at {format_moment(window.end)}"


def _why_none(model: Model, wanted: WantedWindows) -> str:
    backfill = model.spec.window.backfill if model.spec.window is not None else None
    since = backfill.since if backfill is not None else None
    if since is not None and (wanted.incomplete is None or wanted.incomplete.start < since):
        return f"no window with rows begins at {format_moment(since)} or later"
    return _incomplete(wanted) or "no window holds rows"


def _code_of(model: Model, desired: Desired, observed: Observed) -> str | Stalled:
    """Return the digest of the code that a run depends on: ours, and that of the repository's functions."""
    if not model.spec.functions:
        return observed.code
    code = desired.pipelines.get(model.key)
    if code is None or code.error:
        return Stalled("CodeNotReady", code.error if code is not None else "the functions of the model were not read")
    parts = (observed.code, *(f"{name}={digest}" for name, digest in sorted(code.steps.items())))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _dataset_key(model: Model) -> ResourceKey:
    return ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset)


def _index_request(model: Model, dataset: Dataset) -> IndexRequest | None:
    if model.spec.window is None or dataset.spec.time is None:
        return None
    return IndexRequest(dataset.key, dataset.spec.time, windows_of(model.spec.window).grid)


def _data_of(model: Model, desired: Desired, observed: Observed) -> _Data | None:
    """Return the data to learn from; None while it is being read or never was good."""
    key = _dataset_key(model)
    declared, intake, source = desired.compiled.declared.get(key), observed.intakes.get(key), desired.sources.get(key)
    if declared is None or not isinstance(declared.resource, Dataset) or intake is None or intake.snapshot is None:
        return None
    is_stale = (
        source is not None
        and not source.error
        and not declared.resource.spec.suspend
        and (intake.spec_digest, intake.fingerprint) != (declared.spec_digest, source.fingerprint)
    )
    return None if is_stale else _Data(declared.resource, intake.snapshot)


def _waits_for_data(model: Model, desired: Desired, observed: Observed) -> Outcome:
    key = _dataset_key(model)
    intake, source = observed.intakes.get(key), desired.sources.get(key)
    if intake is None or intake.snapshot is None:
        if _is_suspended(desired.compiled.declared.get(key)):
            return Stalled("DatasetNotReady", f"{key} has no good snapshot yet, and is suspended")
        trouble = source.error if source is not None and source.error else _error(intake)
        if trouble:
            return Stalled("DatasetNotReady", f"{key} has no good snapshot yet: {trouble}")
    return Waiting(LOOK_AGAIN, "DatasetNotReady", f"waiting for {key} to be read")


def _is_suspended(declared: Declared | None) -> bool:
    return declared is not None and isinstance(declared.resource, Dataset) and declared.resource.spec.suspend


def _error(intake: Intake | None) -> str:
    return intake.error if intake is not None else ""


def _waits_for_index(request: IndexRequest, snapshot: Digest, observed: Observed, now: datetime) -> Decision:
    waiting = Waiting(LOOK_AGAIN, "IndexingWindows", f"telling the rows of {request.dataset} apart by {request.time}")
    found = observed.indexes.get(request)
    if request in observed.indexes_under_way:
        return Decision(waiting)
    if found is not None and found.snapshot == snapshot and found.retry_at:
        at = datetime.fromisoformat(found.retry_at)
        if at > now:
            message = f"{found.error}; it is tried again at {at:%Y-%m-%d %H:%M:%S} UTC"
            return Decision(Waiting(at - now, "IndexingInterrupted", message))
    return Decision(waiting, (IndexWindows(request.dataset, request, snapshot),))


def run_window(run: RunRecord) -> RunWindow | None:
    """Return the window that a run learns from; None where it learns from all rows."""
    recorded = run.summary.get("window")
    return _read(**recorded) if recorded is not None else None


@lru_cache(maxsize=16384)
def _read(**recorded: str | int) -> RunWindow:
    """Return a recorded window; every pass looks at those of all runs."""
    return RunWindow.from_json(recorded)
