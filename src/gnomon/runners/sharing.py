"""Several users of one machine: who may start a call next.

The call with the highest priority goes first; among equals, the user who runs the fewest. Nothing that runs is interrupted.
"""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gnomon.errors import UsageError
from gnomon.runners.interface import Call, Needs, Outcome, Runner
from gnomon.runners.surroundings import threads

_CLAIM_S = 1.0  # a user who was refused asks again several times a second; one who does not has gone
_NEXT = ""  # the token of what is reserved and not submitted yet
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def machine_memory() -> int:
    """Return the memory of this machine, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass
class _Held:
    needs: Needs
    gpus: tuple[str, ...] = ()


@dataclass
class _User:
    held: dict[str, _Held] = field(default_factory=dict)
    claim: Needs | None = None
    claimed_at: float = 0.0


class SlotPool:
    """The slots, the memory and the GPUs of a machine.

    Args:
        slots: How many calls that need one CPU may run at once.
        memory_bytes: How much the limits of running calls may add up to; a call alone may exceed it. None does not count.
        gpus: The names of the GPUs.
    """

    def __init__(self, slots: int, *, memory_bytes: int | None = None, gpus: Sequence[str] = ()) -> None:
        self._slots = slots
        self._memory = memory_bytes
        self._gpus = tuple(gpus)
        self._users: dict[SharedRunner, _User] = {}
        self._changed = threading.Condition()

    def join(self, runner: Runner) -> "SharedRunner":
        """Return ``runner``, held to what it may start here until it is closed."""
        shared = SharedRunner(runner, self)
        with self._changed:
            self._users[shared] = _User()
        return shared

    def leave(self, user: "SharedRunner") -> None:
        """Give everything back."""
        with self._changed:
            self._users.pop(user, None)
            self._changed.notify_all()

    def reserve(self, user: "SharedRunner", needs: Needs) -> bool:
        """Set aside what a call of a user needs, if it is there and nobody has a better claim to it."""
        if needs.gpu > len(self._gpus):
            raise UsageError(
                f"a call needs {needs.gpu} GPUs, and this machine has {len(self._gpus)}", "take gpu out, or run it elsewhere"
            )
        needs = needs._replace(cpus=min(needs.cpus, self._slots))
        with self._changed:
            me = self._users[user]
            me.held.pop(_NEXT, None)
            if self._has(needs) and not self._is_outranked(user, needs):
                me.claim = None
                me.held[_NEXT] = _Held(needs, self._free_gpus()[: needs.gpu])
                return True
            me.claim, me.claimed_at = needs, time.monotonic()
            return False

    def take(self, user: "SharedRunner", token: str) -> tuple[str, ...]:
        """Turn what is reserved into what a call holds, and return the names of its GPUs."""
        with self._changed:
            held = self._users[user].held
            held[token] = held.pop(_NEXT)
            return held[token].gpus

    def give_back(self, user: "SharedRunner", tokens: Sequence[str]) -> None:
        """Take note that calls ended."""
        with self._changed:
            for token in tokens:
                self._users[user].held.pop(token, None)
            self._changed.notify_all()

    def pause(self, timeout: timedelta) -> None:
        """Wait until something is given back, or the timeout has passed."""
        with self._changed:
            self._changed.wait(timeout.total_seconds())

    @property
    def offers_gpus(self) -> bool:
        """Whether this machine has any."""
        return bool(self._gpus)

    def _all_held(self) -> list[_Held]:
        return [held for user in self._users.values() for held in user.held.values()]

    def _free_gpus(self) -> tuple[str, ...]:
        taken = {gpu for held in self._all_held() for gpu in held.gpus}
        return tuple(gpu for gpu in self._gpus if gpu not in taken)

    def _has(self, needs: Needs) -> bool:
        held = self._all_held()
        if sum(each.needs.cpus for each in held) + needs.cpus > self._slots or len(self._free_gpus()) < needs.gpu:
            return False
        reserved = sum(each.needs.memory_bytes or 0 for each in held)
        return self._memory is None or not held or reserved + (needs.memory_bytes or 0) <= self._memory

    def _is_outranked(self, user: "SharedRunner", needs: Needs) -> bool:
        mine = (needs.priority, -len(self._users[user].held))
        since = time.monotonic() - _CLAIM_S
        return any(
            other.claim is not None
            and other.claimed_at >= since
            and (other.claim.priority, -len(other.held)) > mine
            and self._has(other.claim)
            for name, other in self._users.items()
            if name is not user
        )


class SharedRunner:
    """A runner that starts what its pool lets it."""

    def __init__(self, runner: Runner, pool: SlotPool) -> None:
        self._runner = runner
        self._pool = pool
        self._running: set[str] = set()
        self._is_open = True

    @property
    def slots(self) -> int:
        """How many calls may run at the same time, if nobody else wants any."""
        return self._runner.slots

    def reserve(self, needs: Needs) -> bool:
        """Set aside what the next call needs, and return True; False where it must wait for others to end."""
        return self._runner.reserve(needs._replace(gpu=0)) and self._pool.reserve(self, needs)

    def submit(self, call: Call) -> None:
        """Start the call that was reserved for."""
        gpus = self._pool.take(self, call.token)
        visible = ((_VISIBLE, ",".join(gpus)),) if self._pool.offers_gpus else ()
        self._running.add(call.token)
        try:
            self._runner.submit(replace(call, environment=(*threads(call.needs.cpus), *visible, *call.environment)))
        except BaseException:
            self._end([call.token])
            raise

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one, or where none runs for room, until the timeout has passed."""
        if not self._running:
            self._pool.pause(timeout)
            return ()
        ended = self._runner.wait(timeout)
        self._end([outcome.token for outcome in ended])
        return ended

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        self._runner.cancel()

    def close(self) -> None:
        """Kill what still runs, let go of everything, and give the share back."""
        self._runner.close()
        if self._is_open:
            self._is_open = False
            self._pool.leave(self)

    def _end(self, tokens: Sequence[str]) -> None:
        self._running.difference_update(tokens)
        self._pool.give_back(self, tokens)
