"""Calls in this very process, one after another: the twin of ``ProcessRunner`` for tests.

It cannot enforce a timeout or a memory limit, and a call that ends the process ends everything.
"""

import io
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from gnomon.runners.child import call_entry, describe, seed_everything
from gnomon.runners.interface import Call, Needs, Outcome


class InlineRunner:
    """Makes each call at once, when it is submitted."""

    def __init__(self) -> None:
        self._ended: list[Outcome] = []

    @property
    def slots(self) -> int:
        """One: the caller waits meanwhile."""
        return 1

    def reserve(self, needs: Needs) -> bool:  # noqa: ARG002 - nothing runs between two calls of ours
        """Say that a call may be made."""
        return True

    def submit(self, call: Call) -> None:
        """Make a call and keep its outcome for ``wait``."""
        before, output, path = time.process_time(), io.StringIO(), list(sys.path)
        sys.path[:0] = [str(each) for each in call.path]
        try:
            with redirect_stdout(output), redirect_stderr(output):
                outcome = self._outcome(call)
        finally:
            sys.path[:] = path
        call.log.write_text(output.getvalue(), "utf-8")
        self._ended.append(replace(outcome, cpu_s=time.process_time() - before))

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:  # noqa: ARG002 - all have ended already
        """Return the calls that ended."""
        ended, self._ended = self._ended, []
        return ended

    def cancel(self) -> None:
        """Do nothing: no call is running between two of ours."""

    def close(self) -> None:
        """Forget the outcomes."""
        self._ended.clear()

    def _outcome(self, call: Call) -> Outcome:
        seed_everything(call.seed)
        try:
            return Outcome(call.token, "done", call_entry(call.entry, call.payload))
        except Exception as error:  # noqa: BLE001 - any error of the call is its outcome
            traceback.print_exc()
            reason: Literal["memory", "error"] = "memory" if isinstance(error, MemoryError) else "error"
            return Outcome(call.token, "failed", error=describe(error, call.path), reason=reason)
