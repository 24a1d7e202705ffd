"""What a process that serves and the worker that holds an estimator say to each other: numbers and texts, never objects."""

from collections.abc import Mapping
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from gnomon.inference.signature import Signature

_LENGTH_BYTES = 8
_T = TypeVar("_T")


class Matrix(msgspec.Struct, frozen=True, tag=True):
    """Numbers: raw bytes of a little-endian ``dtype``."""

    dtype: str
    shape: tuple[int, ...]
    content: bytes


class Texts(msgspec.Struct, frozen=True, tag=True):
    """Texts, row by row."""

    shape: tuple[int, ...]
    values: list[str]


class Load(msgspec.Struct, frozen=True, tag=True):
    """Asks to load an estimator."""

    payload: bytes
    signature: Signature


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """Says that it is loaded, and with which versions of the libraries."""

    libraries: dict[str, str]


class Predict(msgspec.Struct, frozen=True, tag=True):
    """Asks for the answers to rows: the feed of a session, by name."""

    matrices: dict[str, Matrix | Texts]


class Answers(msgspec.Struct, frozen=True, tag=True):
    """The outputs by name."""

    matrices: dict[str, Matrix | Texts]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Says why there is no answer, and what to do."""

    cause: str
    mend: str


_NUMBERS = {"<f4": np.float32, "<i8": np.int64}


def encode_matrices(matrices: Mapping[str, NDArray[Any]]) -> dict[str, Matrix | Texts]:
    """Return arrays of float32, int64 or text as messages."""
    return {name: _encoded(values) for name, values in matrices.items()}


def decode_matrices(matrices: Mapping[str, Matrix | Texts]) -> dict[str, NDArray[Any]]:
    """Return messages as arrays; text as objects.

    Raises:
        ValueError: A shape does not hold its content.
    """
    return {name: _decoded(message) for name, message in matrices.items()}


def write(stream: BinaryIO, message: msgspec.Struct) -> None:
    """Send a message.

    Raises:
        OSError: The other end is gone.
    """
    content = msgspec.msgpack.encode(message)
    stream.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
    stream.flush()


def read(stream: BinaryIO, kind: type[_T] | Any) -> Any:
    """Return the next message; None where the other end is gone.

    Raises:
        msgspec.DecodeError: It is none of ``kind``.
    """
    head = stream.read(_LENGTH_BYTES)
    if len(head) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "little")
    content = stream.read(length)
    return msgspec.msgpack.decode(content, type=kind) if len(content) == length else None


def _encoded(values: NDArray[Any]) -> Matrix | Texts:
    if values.dtype == object:
        return Texts(values.shape, values.reshape(-1).tolist())
    dtype = "<i8" if values.dtype.kind == "i" else "<f4"
    return Matrix(dtype, values.shape, np.ascontiguousarray(values, dtype=_NUMBERS[dtype]).tobytes())


def _decoded(message: Matrix | Texts) -> NDArray[Any]:
    if isinstance(message, Texts):
        texts = np.empty(len(message.values), dtype=object)
        texts[:] = message.values
        return texts.reshape(message.shape)
    return np.frombuffer(message.content, dtype=_NUMBERS[message.dtype]).reshape(message.shape)
