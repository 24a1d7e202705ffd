"""``gnomon up``: the operator, in the foreground."""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from gnomon.api.app import ControlPlane
from gnomon.api.server import ApiServer, bind, require_guard
from gnomon.errors import UsageError
from gnomon.operator.assemble import Settings, assemble, default_slots
from gnomon.operator.home import DEFAULT_HOME, Home, HomeLock
from gnomon.resources.quantities import parse_duration


def up(
    repo: Annotated[str, typer.Option("--repo", help="URL or path of the Git remote to follow.")],
    branch: Annotated[str, typer.Option(help="Branch to follow.")] = "main",
    home: Annotated[Path, typer.Option(help="Folder for everything the operator keeps.")] = DEFAULT_HOME,
    listen: Annotated[str, typer.Option(help="Address of the control plane.")] = "127.0.0.1:8080",
    serve: Annotated[str, typer.Option(help="Address of the gateway.")] = "127.0.0.1:8081",
    interval: Annotated[str | None, typer.Option(help="Time between two polls of the remote, such as 30s.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of the gateway.")] = 1,
    slots: Annotated[int | None, typer.Option(min=1, help="Training steps at the same time (default: processors).")] = None,
) -> None:
    """Follow a Git repository and make reality match it, until SIGTERM or Ctrl-C. The gateway goes on serving."""
    _configure_logging()
    token = os.environ.get("GNOMON_TOKEN", "")
    require_guard(listen, token)
    bound = bind(listen)
    address = "{}:{}".format(*bound.getsockname()[:2])
    place = Home(home.expanduser().resolve())
    about: dict[str, Any] = {"pid": os.getpid(), "listen": address, "serve": serve, "branch": branch}
    lock = HomeLock(place)
    lock.acquire(about)
    settings = Settings(
        repository=repo if "://" in repo or _is_scp_like(repo) else str(Path(repo).expanduser().resolve()),
        branch=branch,
        home=place,
        serve=serve,
        interval=_interval(interval),
        timeout=timedelta(seconds=60),
        workers=workers,
        slots=slots or default_slots(),
    )
    assembly = assemble(settings)
    try:
        gateway = assembly.gateway.ensure()
        about |= {"serve": gateway.address, "repo": assembly.repository.url}
        api = ApiServer(ControlPlane(assembly, {"serve": gateway.address, "home": str(place.path)}, token), bound)
        _on_signals(assembly.operator.stop)
        api.start()
        lock.tell({**about, "ready": True})
        typer.echo(f"operator: http://{address}  gateway: http://{gateway.address}  home: {place.path}", err=True)
        assembly.operator.run()
        api.stop()
    finally:
        assembly.close()
        lock.release()


def _interval(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval {text}: {error}", "for example --interval 30s") from None


def _is_scp_like(repo: str) -> bool:
    """Return whether ``repo`` is written as ``user@host:path``."""
    head, colon, _ = repo.partition(":")
    return bool(colon) and "@" in head and "/" not in head


def _on_signals(stop: Callable[[], None]) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, fields."""

    _STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in self._STANDARD}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _configure_logging() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=os.environ.get("GNOMON_LOG", "INFO").upper(), handlers=[handler])
    for chatty in ("alembic", "sqlalchemy", "uvicorn", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
