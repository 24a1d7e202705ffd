"""Who may start a call next, on a machine that several runs share."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import UsageError
from gnomon.runners.interface import Call, Needs, Outcome
from gnomon.runners.sharing import SlotPool, machine_memory


class Held:
    """A runner whose calls end when they are told to."""

    slots = 8

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.ended: list[Outcome] = []

    def reserve(self, needs: Needs) -> bool:
        assert needs.gpu == 0
        return len(self.calls) < self.slots

    def submit(self, call: Call) -> None:
        self.calls[call.token] = call

    def end(self, token: str) -> None:
        del self.calls[token]
        self.ended.append(Outcome(token, "done"))

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        assert timeout >= timedelta(0)
        ended, self.ended = self.ended, []
        return ended

    def cancel(self) -> None:
        for token in list(self.calls):
            self.end(token)

    def close(self) -> None:
        self.calls.clear()


class User:
    """A run that starts what it may."""

    def __init__(self, pool: SlotPool, **needs: int) -> None:
        self.held = Held()
        self.runner = pool.join(self.held)
        self.needs = Needs(**needs)
        self.count = 0

    def starts(self) -> bool:
        if not self.runner.reserve(self.needs):
            return False
        self.count += 1
        self.runner.submit(Call(str(self.count), "a:b", b"", Path("log"), needs=self.needs))
        return True

    def start_all(self) -> int:
        while self.starts():
            pass
        return len(self.held.calls)

    def end_one(self) -> None:
        self.held.end(next(iter(self.held.calls)))
        assert len(self.runner.wait(timedelta(0))) == 1


def test_one_user_has_all_slots_and_a_second_one_gets_what_comes_free() -> None:
    pool = SlotPool(4)
    first, second = User(pool), User(pool)
    assert first.start_all() == 4
    assert not second.starts()
    for running in (1, 2):
        first.end_one()
        assert not first.starts(), "the other one wants it and runs fewer"
        assert second.start_all() == running
    first.end_one()
    assert first.starts(), "a second one that runs as many wants more, and the first one came first"
    assert (len(first.held.calls), len(second.held.calls)) == (2, 2)
    second.runner.close()
    second.runner.close()
    assert first.start_all() == 4


def test_a_higher_priority_goes_first_however_much_it_runs() -> None:
    pool = SlotPool(3)
    low, high = User(pool), User(pool, priority=5)
    assert high.starts()
    assert high.starts()
    assert low.starts()
    assert not high.starts()
    assert not low.starts()
    low.end_one()
    assert not low.starts()
    assert high.starts()
    assert len(high.held.calls) == 3


def test_a_claim_that_cannot_be_met_anyway_blocks_nobody() -> None:
    pool = SlotPool(4, gpus=("0",))
    one, two, other = User(pool, gpu=1, priority=9), User(pool, gpu=1, priority=9), User(pool)
    assert one.starts()
    assert not two.starts()
    assert other.starts()


def test_each_call_sees_its_own_gpus_and_others_see_none() -> None:
    pool = SlotPool(8, gpus=("0", "1", "2"))
    pair, single, none = User(pool, gpu=2), User(pool, gpu=1), User(pool)
    for user in (pair, single, none):
        assert user.starts()
    assert not single.starts()
    seen = [dict(next(iter(user.held.calls.values())).environment)["CUDA_VISIBLE_DEVICES"] for user in (pair, single, none)]
    assert seen == ["0,1", "2", ""]
    pair.end_one()
    assert single.starts()
    with pytest.raises(UsageError, match="needs 4 GPUs, and this machine has 3"):
        User(pool, gpu=4).starts()


def test_memory_that_is_promised_is_not_promised_again_but_one_call_may_have_it_all() -> None:
    pool = SlotPool(8, memory_bytes=100)
    half, large = User(pool, memory_bytes=50), User(pool, memory_bytes=1000)
    assert half.start_all() == 2
    assert not large.starts()
    half.end_one()
    half.end_one()
    assert large.starts()
    assert not half.starts()


def test_a_call_with_several_cpus_holds_as_many_slots_and_is_told_its_threads() -> None:
    pool = SlotPool(4)
    wide, narrow = User(pool, cpus=3), User(pool)
    assert wide.starts()
    assert not wide.starts()
    assert dict(next(iter(wide.held.calls.values())).environment)["OMP_NUM_THREADS"] == "3"
    wide.runner.close()
    assert narrow.start_all() == 4
    assert User(SlotPool(2), cpus=16).starts(), "as many as there are"


def test_who_waits_for_room_is_woken_by_what_ends() -> None:
    pool = SlotPool(1)
    first, second = User(pool), User(pool)
    assert first.starts()
    assert not second.starts()
    started = threading.Event()

    def wait() -> None:
        while not second.starts():
            second.runner.wait(timedelta(seconds=30))
        started.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    first.end_one()
    assert started.wait(10)
    waiting.join()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40),
)
def test_a_machine_is_never_overbooked(users: list[tuple[int, int, int, int]], moves: list[tuple[int, bool]]) -> None:
    pool = SlotPool(4, memory_bytes=100, gpus=("a", "b"))
    joined = [User(pool, cpus=c, memory_bytes=m, gpu=g, priority=p) for c, m, g, p in users]
    for who, starts in moves:
        user = joined[who % len(joined)]
        if starts:
            user.starts()
        elif user.held.calls:
            user.end_one()
        running = [call for each in joined for call in each.held.calls.values()]
        assert sum(call.needs.cpus for call in running) <= 4
        assert sum(call.needs.memory_bytes or 0 for call in running) <= 100
        seen = [gpu for call in running for gpu in dict(call.environment)["CUDA_VISIBLE_DEVICES"].split(",") if gpu]
        assert len(seen) == len(set(seen)) == sum(call.needs.gpu for call in running)


def test_the_memory_of_a_machine_is_known() -> None:
    assert machine_memory() > 1 << 28
