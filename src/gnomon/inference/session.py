"""A model becomes a session, and a session answers: the one place that knows ONNX Runtime's options and errors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from gnomon.errors import ArtifactError
from gnomon.inference.signature import Signature

_NOWHERE = "/dev/null"
"""Where files that a model refers to would be looked for: no file can lie below a device."""

ROWS_AT_ONCE = 512
"""More rows are answered in parts, so that memory stays bounded: neighbours and kernels may take half a megabyte a row.

It costs nothing: parts of this size stay in the processor's cache.
"""


def make_session(model: bytes | Path) -> ort.InferenceSession:
    """Return a session for one thread: no thread pool, no spinning, CPU only, nothing read besides ``model``.

    Raises:
        ArtifactError: ONNX Runtime cannot load the model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # as quick for one row, and gives back what one large request took
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
    content = _content(model)
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(
            f"ONNX Runtime {ort.__version__} cannot load the model: {_first_line(error)}", "export the model anew"
        ) from error


def _content(model: bytes | Path) -> bytes:
    if isinstance(model, bytes):
        return model
    try:
        return model.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{model} cannot be read: {error.strerror}", "name a file that holds an ONNX model") from error


class Cancellation:
    """Lets another thread end a prediction between two nodes of its graph."""

    def __init__(self) -> None:
        self._options = ort.RunOptions()
        self._options.log_severity_level = 4

    def cancel(self) -> None:
        """End the prediction; it raises an ``ArtifactError``."""
        self._options.terminate = True

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to end."""
        return bool(self._options.terminate)

    @property
    def run_options(self) -> ort.RunOptions:
        """What the session takes."""
        return self._options


class Answering(Protocol):
    """Answers with one model, whatever it is made of."""

    @property
    def signature(self) -> Signature:
        """What the model takes and gives."""
        ...

    def predict(self, feed: Mapping[str, NDArray[Any]], cancellation: Cancellation | None = None) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, in the order of the signature, each with one row for each row of ``feed``."""
        ...


class Predictor:
    """Answers with one graph.

    Args:
        model: The ONNX model, as bytes or as a file.
        signature: What the model takes and gives.

    Raises:
        ArtifactError: The model cannot be loaded, or its inputs and outputs are not those of the signature.
    """

    def __init__(self, model: bytes | Path, signature: Signature) -> None:
        session = make_session(model)
        self.signature = signature
        self._names = [output.name for output in signature.outputs]
        inputs = {node.name for node in session.get_inputs()}
        outputs = {node.name for node in session.get_outputs()}
        wanted = {column.matrix for column in signature.inputs}
        if inputs != wanted or not outputs.issuperset(self._names):
            raise ArtifactError(
                f"the model takes {sorted(inputs)} and gives {sorted(outputs)}, "
                f"the signature says {sorted(wanted)} and {self._names}",
                "pack a model together with its own signature",
            )
        # The checks that the Python wrapper makes before each run cost a third of a small prediction; inputs were checked here.
        self._run = getattr(session, "_sess", session).run

    def predict(self, feed: Mapping[str, NDArray[Any]], cancellation: Cancellation | None = None) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, in the order of the signature, each with one row for each row of ``feed``.

        Raises:
            ArtifactError: ONNX Runtime failed on these rows.
        """
        rows = len(next(iter(feed.values())))
        if rows <= ROWS_AT_ONCE:
            return self._answered(feed, cancellation)
        parts = [
            self._answered({name: matrix[begin : begin + ROWS_AT_ONCE] for name, matrix in feed.items()}, cancellation)
            for begin in range(0, rows, ROWS_AT_ONCE)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self._names}

    def _answered(self, feed: Mapping[str, NDArray[Any]], cancellation: Cancellation | None) -> dict[str, NDArray[Any]]:
        try:
            answers = self._run(self._names, feed, cancellation.run_options if cancellation else None)
        except Exception as error:
            raise ArtifactError(
                f"the model failed on these rows: {_first_line(error)}", "check the model on these rows where it was trained"
            ) from error
        return dict(zip(self._names, answers, strict=False))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
