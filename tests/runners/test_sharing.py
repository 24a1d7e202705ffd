from datetime import timedelta

from gnomon.runners.interface import Call, Outcome
from gnomon.runners.sharing import SlotPool


class Idle:
    """A runner that is asked nothing but how many slots it has."""

    slots = 8

    def submit(self, call: Call) -> None:
        raise AssertionError(call)

    def wait(self, timeout: timedelta) -> list[Outcome]:
        raise AssertionError(timeout)

    def cancel(self) -> None:
        raise AssertionError

    def close(self) -> None:
        """Nothing runs."""


def test_one_user_has_all_slots_and_two_have_half_each() -> None:
    pool = SlotPool(4)
    first = pool.join(Idle())
    assert first.slots == 4
    second = pool.join(Idle())
    assert (first.slots, second.slots) == (2, 2)
    second.close()
    second.close()
    assert first.slots == 4


def test_everybody_has_at_least_one_slot() -> None:
    pool = SlotPool(2)
    runners = [pool.join(Idle()) for _ in range(5)]
    assert {runner.slots for runner in runners} == {1}


def test_a_share_never_exceeds_what_the_runner_has_itself() -> None:
    assert SlotPool(16).join(Idle()).slots == 8
