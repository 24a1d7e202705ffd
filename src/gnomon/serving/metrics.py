"""Requests counted in plain integers, and told in Prometheus' text format."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from gnomon.serving.status import Counts, WorkerStatus

BUCKETS_NS = tuple(
    round(seconds * 1e9) for seconds in (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
)
"""Upper bounds of the latency buckets; slower answers fall into one more."""

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def no_counts() -> Counts:
    """Return counts of nothing."""
    return Counts(codes={200: 0}, buckets=[0] * (len(BUCKETS_NS) + 1))


def count_success(counts: Counts, latency_ns: int) -> None:
    """Count an answer with predictions."""
    counts.codes[200] += 1
    counts.latency_ns += latency_ns
    counts.buckets[bisect_left(BUCKETS_NS, latency_ns)] += 1


def count_failure(counts: Counts, code: int) -> None:
    """Count an answer without predictions."""
    counts.codes[code] = counts.codes.get(code, 0) + 1


def exposition(workers: Mapping[int, WorkerStatus]) -> bytes:
    """Return the counts of the workers, by slot, one series for each worker."""
    requests = [
        f'gnomon_requests_total{{{labels},code="{code}"}} {count}'
        for labels, counts in _series(workers)
        for code, count in sorted(counts.codes.items())
    ]
    latencies = [line for labels, counts in _series(workers) for line in _histogram(labels, counts)]
    epochs = [f'gnomon_route_epoch{{worker="{slot}"}} {status.epoch}' for slot, status in sorted(workers.items())]
    lines = [
        "# HELP gnomon_requests_total Answered inference requests.",
        "# TYPE gnomon_requests_total counter",
        *requests,
        "# HELP gnomon_request_seconds Time from a whole request to its answer, for answers with predictions.",
        "# TYPE gnomon_request_seconds histogram",
        *latencies,
        "# HELP gnomon_route_epoch Epoch of the newest route table that a worker has applied.",
        "# TYPE gnomon_route_epoch gauge",
        *epochs,
    ]
    return "\n".join([*lines, ""]).encode()


def _series(workers: Mapping[int, WorkerStatus]) -> Iterable[tuple[str, Counts]]:
    for slot, status in sorted(workers.items()):
        for name, service in sorted(status.services.items()):
            for version, counts in sorted(service.versions.items()):
                yield f'service="{name}",version="{_escaped(version)}",worker="{slot}"', counts


def _histogram(labels: str, counts: Counts) -> Iterable[str]:
    total = 0
    for bound, count in zip(BUCKETS_NS, counts.buckets, strict=False):
        total += count
        yield f'gnomon_request_seconds_bucket{{{labels},le="{bound / 1e9:g}"}} {total}'
    total = sum(counts.buckets)
    yield f'gnomon_request_seconds_bucket{{{labels},le="+Inf"}} {total}'
    yield f"gnomon_request_seconds_sum{{{labels}}} {counts.latency_ns / 1e9:.9f}"
    yield f"gnomon_request_seconds_count{{{labels}}} {total}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
