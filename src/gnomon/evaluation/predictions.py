"""A packed artifact answers the test rows through the serving runtime, and is timed."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from gnomon.errors import InputError
from gnomon.evaluation.answers import Answers
from gnomon.evaluation.rows import Column, class_names, request_columns, single_requests, spread_rows
from gnomon.inference.encoding import Encoder
from gnomon.inference.loading import LoadedArtifact, load_artifact
from gnomon.inference.signature import Signature
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import ArtifactReader

BATCH_ROWS = 8192
_REQUESTS = 256
"""Different rows that latency is measured with."""
_WARM_UP, _ROUND, _ROUNDS, _PATIENCE_NS = 100, 1000, 3, 3_000_000_000


class Judged:
    """An artifact with the rows that it is judged on.

    Args:
        reader: Where the artifact is kept.
        digest: Which one it is.
        rows: Test rows with a known target.
        any_may_miss: Whether values may be missing in columns that the artifact's signature says always have one. A
            request with such a row is refused; its graph, as every graph of ours, answers it.

    Raises:
        ArtifactError: The artifact cannot be run; see ``inference.loading``.
        InputError: The rows do not fit the artifact.
    """

    def __init__(self, reader: ArtifactReader, digest: Digest, rows: pa.Table, *, any_may_miss: bool = False) -> None:
        self.artifact: LoadedArtifact = load_artifact(reader, digest)
        self.signature = self.artifact.config.signature
        self.size_bytes = artifact_size(reader, digest)
        self._table = rows
        self._rows = rows.num_rows
        self._encoder = Encoder(_nullable(self.signature) if any_may_miss else self.signature)
        self._outputs = self._answered(rows)

    def _answered(self, rows: pa.Table) -> Mapping[str, NDArray[Any]]:
        """Answer rows in batches, so that what is sent does not grow with the rows."""
        starts = range(0, rows.num_rows, BATCH_ROWS)
        parts = [self.answered(self.columns(rows.slice(start, BATCH_ROWS))) for start in starts]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def columns(self, rows: pa.Table) -> dict[str, Column]:
        """Return the columns that the artifact reads, as a request carries them."""
        return request_columns(rows, self.signature)

    def answered(self, columns: Mapping[str, Column]) -> Mapping[str, NDArray[Any]]:
        """Return the outputs for a batch of rows."""
        return self.artifact.predictor.predict(self._encoder.encode(columns))

    def predictions(self, rows: pa.Table) -> NDArray[Any]:
        """Return what the artifact predicts of other rows."""
        return self._answered(rows)["prediction"]

    def output(self, name: str) -> NDArray[Any]:
        """Return one of the answers to the rows."""
        return self._outputs[name]

    def answers(
        self,
        target: Any,
        classes: Sequence[str],
        naive_error: float = float("nan"),
        outputs: Mapping[str, NDArray[Any]] | None = None,
    ) -> Answers:
        """Return the answers beside the truth, for tasks that learn a target.

        Args:
            target: The target column of the rows, without nulls.
            classes: The class names to count in, which hold all of the artifact's own.
            naive_error: Forecasts: the mean absolute error of the naive forecast on the training rows.
            outputs: Of other rows than those that it is judged on, what was answered to them.
        """
        outputs = self._outputs if outputs is None else outputs
        predicted = outputs["prediction"].reshape(len(target))
        if self.signature.task != "classification":
            actual = np.asarray(target.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
            answers = predicted.astype(np.float64)
            answers[~np.isfinite(answers)] = np.nan
            return Answers(actual, answers, task=self.signature.task, naive_error=naive_error)
        index = {name: k for k, name in enumerate(classes)}
        return Answers(
            _indices(class_names(target), index),
            _indices(predicted.tolist(), index),
            self._probabilities(outputs.get("probabilities"), index),
            tuple(classes),
            task=self.signature.task,
        )

    def _probabilities(self, given: NDArray[Any] | None, index: Mapping[str, int]) -> NDArray[np.float64] | None:
        if given is None:
            return None
        probabilities = np.zeros((len(given), len(index)))
        probabilities[:, [index[name] for name in self.signature.classes]] = given
        return probabilities

    def latency(self) -> "Latency":
        """Time requests of one row: encoding and running, without the network.

        At least 1,000 runs; for models faster than a millisecond three rounds of them, and the median of the rounds'
        percentiles, so that one hiccup of a shared machine does not decide a gate.
        """
        chosen = spread_rows(self._table, _REQUESTS)
        requests = single_requests(request_columns(chosen, self.signature), chosen.num_rows)
        self._timed(requests, _WARM_UP)
        # Other objects of this process, which a serving process does not have, must not be walked while the clock runs.
        gc.collect()
        gc.freeze()
        try:
            rounds = [self._timed(requests, _ROUND)]
            while len(rounds) < _ROUNDS and rounds[0].sum() * (len(rounds) + 1) < _PATIENCE_NS:
                rounds.append(self._timed(requests, _ROUND))
        finally:
            gc.unfreeze()
        p50, p99 = np.median([np.quantile(times, [0.5, 0.99]) for times in rounds], axis=0) / 1e6
        return Latency(p50_ms=float(p50), p99_ms=float(p99), runs=len(rounds) * _ROUND)

    def _timed(self, requests: Sequence[Mapping[str, Column]], runs: int) -> NDArray[np.int64]:
        encode, predict, times = self._encoder.encode, self.artifact.predictor.predict, np.empty(runs, dtype=np.int64)
        for run in range(runs):
            request = requests[run % len(requests)]
            start = perf_counter_ns()
            predict(encode(request))
            times[run] = perf_counter_ns() - start
        return times


@dataclass(frozen=True)
class Latency:
    """How long a request of one row takes, in milliseconds."""

    p50_ms: float
    p99_ms: float
    runs: int


def artifact_size(reader: ArtifactReader, digest: Digest) -> int:
    """Return the bytes of an artifact's configuration and files."""
    manifest = reader.manifest(digest)
    return manifest.config.size + sum(layer.size for layer in manifest.layers)


def _nullable(signature: Signature) -> Signature:
    """Return the signature with every column nullable."""
    return replace(signature, inputs=tuple(replace(column, nullable=True) for column in signature.inputs))


def _indices(names: Sequence[str], index: Mapping[str, int]) -> NDArray[np.int64]:
    """Return the index of each class name; unknown ones share the index after the last."""
    unknown = len(index)
    return np.fromiter((index.get(name, unknown) for name in names), dtype=np.int64, count=len(names))


def require_same_question(candidate: LoadedArtifact, champion: LoadedArtifact) -> None:
    """Refuse a champion that answers another question.

    Raises:
        InputError: Task or target differ.
    """
    ours, theirs = candidate.config.signature, champion.config.signature
    if (ours.task, ours.target) != (theirs.task, theirs.target):
        raise InputError(
            f"it answers {theirs.task} of {theirs.target!r}, the candidate {ours.task} of {ours.target!r}",
            "give a model that answers another question another name",
        )
    names = [{column.name for column in signature.inputs} for signature in (ours, theirs)]
    if ours.task == "density" and names[0] != names[1]:
        apart = ", ".join(sorted(names[0] ^ names[1]))
        raise InputError(
            f"it is a density of other columns ({apart}), and densities of different columns have different units",
            "give a density of other columns another name",
        )
