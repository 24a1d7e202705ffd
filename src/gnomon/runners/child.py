"""The life of one call in its own process, from the fork to the last byte of its result."""

import ctypes
import importlib
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import gnomon
from gnomon.errors import GnomonError
from gnomon.runners.exchange import DONE, FAILED, NO_MEMORY

_ERROR_CHARACTERS = 4000  # the log holds the rest
_OURS = str(Path(gnomon.__file__).resolve().parent) + os.sep
_STDLIB = str(Path(os.__file__).parent) + os.sep
_SIGKILL = int(signal.SIGKILL)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Become the parent of processes whose own parent ends, below this one."""
    if _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def live(exchange: int, parent: int, inherited: Sequence[int]) -> NoReturn:
    """Make the call that lies in a file, put what came of it in its place, and end this process.

    Args:
        exchange: The file: before, a line of JSON and the payload; after, four bytes that tell how it went, and the result.
        parent: Process id of the zygote; without it there is nobody to report to.
        inherited: Descriptors of the zygote, which the call must not hold open.
    """
    status = 1
    try:
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        # What the call leaves behind becomes a child of the zygote when the call ends, not before: so it knows whose it is.
        become_subreaper()
        for each in inherited:
            os.close(each)
        header, payload = _read(exchange)
        _write(exchange, *_make(header, payload))
        status = 0
    finally:
        # Also after an error in the lines above: a second zygote must never come to life.
        _flush()
        os._exit(status)


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python and, where it is loaded, NumPy."""
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)


def call_entry(entry: str, payload: bytes) -> bytes:
    """Import ``module:function`` and call it."""
    module, _, name = entry.partition(":")
    result: bytes = getattr(importlib.import_module(module), name)(payload)
    return result


def print_error(error: BaseException) -> None:
    """Print how an error came about, from the caller's first line on; one of ours that no such line led to, by its words."""
    trace = error.__traceback__
    while trace is not None and _is_plumbing(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    _flush()  # what the call wrote comes first
    # Whatever the call did to its streams, its error must get back.
    with suppress(Exception):
        if trace is None and isinstance(error, GnomonError):
            sys.stderr.write(f"{error}\n")
        else:
            traceback.print_exception(type(error), error, trace or error.__traceback__)


def _flush() -> None:
    # A call may have closed its streams, or put anything in their place.
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def describe(error: BaseException, roots: Sequence[Path]) -> str:
    """Return an error for people: what it says, and for one that is not ours, the caller's line that raised it.

    Args:
        error: What was raised.
        roots: The folders of the caller's code, which places are told relative to.
    """
    if isinstance(error, GnomonError):
        return str(error)
    text = "".join(traceback.format_exception_only(error)).strip()[:_ERROR_CHARACTERS]
    place = _place(error.__traceback__, [str(root.resolve()) + os.sep for root in roots])
    return f"{place}: {text}" if place else text


def _place(trace: TracebackType | None, roots: Sequence[str]) -> str:
    """Return the last line that is the caller's: not a library's, and not ours unless there is no other."""
    place = ours = ""
    for frame in traceback.extract_tb(trace):
        file = frame.filename
        if _is_library(file):
            continue
        root = next((each for each in roots if file.startswith(each)), "")
        line = f"{file.removeprefix(root) if root else Path(file).name}:{frame.lineno} in {frame.name}"
        if not file.startswith(_OURS):
            place = line
        elif root:
            ours = line
    return place or ours


def _is_plumbing(file: str) -> bool:
    return _is_library(file) or file.startswith(_OURS)


def _is_library(file: str) -> bool:
    # Our own package may be installed among the libraries.
    installed = file.startswith(_STDLIB) or "site-packages" in file or "dist-packages" in file
    return file.startswith("<") or (installed and not file.startswith(_OURS))


def _read(exchange: int) -> tuple[Mapping[str, Any], bytes]:
    header, _, payload = os.pread(exchange, os.fstat(exchange).st_size, 0).partition(b"\n")
    os.ftruncate(exchange, 0)  # so that a call which leaves at once is not taken for one with a result
    return json.loads(header), payload


def _write(exchange: int, how: bytes, body: bytes) -> None:
    content, written = memoryview(how + body), 0
    while written < len(content):
        written += os.pwrite(exchange, content[written:], written)


def _make(header: Mapping[str, Any], payload: bytes) -> tuple[bytes, bytes]:
    roots = [Path(each) for each in header["path"]]
    try:
        _redirect(header["log"])
        os.environ.update(header["environment"])
        sys.path[:0] = header["path"]
        seed_everything(header["seed"])
        return DONE, call_entry(header["entry"], payload)
    except BaseException as error:  # noqa: BLE001 - also SystemExit ends the call, not this protocol
        print_error(error)
        return (NO_MEMORY if isinstance(error, MemoryError) else FAILED), describe(error, roots).encode("utf-8", "replace")


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
