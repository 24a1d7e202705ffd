"""Telling a live process from a dead one."""

import subprocess
import sys

import pytest

from gnomon.pipeline.liveness import is_alive, process_identity


def test_this_process_is_alive() -> None:
    assert is_alive(process_identity())


def test_a_process_that_ended_is_dead_even_before_its_parent_has_noticed() -> None:
    program = "from gnomon.pipeline.liveness import process_identity as p; print(p(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        identity = child.stdout.readline().strip()
        assert is_alive(identity)
        child.kill()
        child.stdout.read()  # ends with the process, which is a zombie now
        while is_alive(identity):
            pass
    assert not is_alive(identity)


@pytest.mark.parametrize("change", [lambda boot, pid, at: (f"x{boot}", pid, at), lambda boot, pid, at: (boot, pid, f"{at}1")])
def test_another_boot_or_another_start_is_another_process(change: object) -> None:
    assert callable(change)
    assert not is_alive(" ".join(change(*process_identity().split())))


@pytest.mark.parametrize("identity", ["", "somewhere", "boot pid", "boot 1 2 3"])
def test_what_is_no_identity_is_not_alive(identity: str) -> None:
    assert not is_alive(identity)
