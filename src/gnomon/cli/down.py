"""``gnomon down``: stop the operator of a home, and its gateway."""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from gnomon.errors import ConflictError, DeadlineError, UsageError
from gnomon.operator.home import DEFAULT_HOME, Home, is_operated
from gnomon.serving.process import find_gateway, stop_gateway

_STOP_DEADLINE = timedelta(seconds=30)


def down(
    home: Annotated[Path, typer.Option(help="Home of the operator to stop.")] = DEFAULT_HOME,
) -> None:
    """Stop the operator of a home and then its gateway, which first answers what it has accepted."""
    place = Home(home.expanduser().resolve())
    if not place.is_home:
        raise UsageError(f"{place.path} is not the home of an operator", "give the folder that `gnomon up --home` was given")
    if is_operated(place):
        _terminate(place)
        _wait_until(lambda: not is_operated(place))
        typer.echo("operator stopped", err=True)
    else:
        typer.echo("no operator is running", err=True)
    if find_gateway(place.gateway) is None:
        typer.echo("no gateway is running", err=True)
        return
    stop_gateway(place.gateway, _STOP_DEADLINE)
    typer.echo("gateway stopped", err=True)


def _terminate(home: Home) -> None:
    pid = home.describe().get("pid")
    if not isinstance(pid, int) or pid <= 1:
        raise ConflictError(f"{home.about} does not tell which process the operator is", "stop that process by hand")
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # It has just ended by itself.
    except PermissionError:
        raise ConflictError(f"the operator (process {pid}) belongs to another user", "stop it as that user") from None


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _STOP_DEADLINE.total_seconds()
    while not is_true():
        if time.monotonic() > deadline:
            raise DeadlineError("the operator does not stop", "look at its log; as a last resort kill its process")
        time.sleep(0.05)
