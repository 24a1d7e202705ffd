"""Entries that the tests call in processes of their own."""

import os
import signal
import sys
import time
from pathlib import Path

from gnomon.errors import DataError


def echo(payload: bytes) -> bytes:
    return payload


def shout(payload: bytes) -> bytes:
    sys.stdout.write("on stdout\n")
    sys.stderr.write("on stderr\n")
    os.write(1, b"straight to the descriptor\n")
    return payload.upper()


def megabytes(payload: bytes) -> bytes:
    return b"x" * (int(payload) << 20)


def print_megabytes(payload: bytes) -> bytes:
    for _ in range(int(payload)):
        sys.stdout.write("y" * (1 << 20))
    return b"printed"


def raise_value_error(payload: bytes) -> bytes:
    raise ValueError(payload.decode())


def close_stdout(payload: bytes) -> bytes:
    if payload == b"none":
        sys.stdout = None
    else:
        sys.stdout.close()
    return b"closed"


def print_and_raise(payload: bytes) -> bytes:
    sys.stdout.write("before\n")
    raise ValueError(payload.decode())


def raise_ours(payload: bytes) -> bytes:
    raise DataError(payload.decode(), "give other data")


def leave(payload: bytes) -> bytes:
    sys.exit(int(payload))


def leave_at_once(payload: bytes) -> bytes:
    os._exit(int(payload))


def segfault(_: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGSEGV)
    return b""


def hang(_: bytes) -> bytes:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


_KEPT: list[bytearray] = []


def grow(payload: bytes) -> bytes:
    for _ in range(int(payload)):
        _KEPT.append(bytearray(os.urandom(1)) * (8 << 20))
        time.sleep(0.01)
    return str(len(_KEPT)).encode()


def grow_in_children(payload: bytes) -> bytes:
    for _ in range(2):
        if os.fork() == 0:
            grow(payload)
            hang(b"")
    os.wait()
    return b""


def leave_daemons(payload: bytes) -> bytes:
    """Leave a child in the group, and a daemon that has left it."""
    places = Path(payload.decode())
    for leaves_group in (False, True):
        if os.fork() == 0:
            if leaves_group:
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
            (places / f"{leaves_group}").write_text(str(os.getpid()))
            hang(b"")
    while len(list(places.iterdir())) < 2 or any(not each.read_text() for each in places.iterdir()):
        time.sleep(0.01)
    return b"left two behind"


def random_numbers(_: bytes) -> bytes:
    import random  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    return f"{random.random()} {np.random.random()} {hash('text')}".encode()  # noqa: NPY002


def facts(_: bytes) -> bytes:
    threads = len(list(Path("/proc/self/task").iterdir()))
    return f"{os.getpid()} {os.getppid()} {os.getsid(0)} {threads} {os.environ.get('COLOUR')} {sys.stdin.read()!r}".encode()
