"""``gnomon up``: the operator, in the foreground."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from gnomon.api.plane import ControlPlane
from gnomon.api.server import ApiServer, address_of, bind, require_guard
from gnomon.cli.command_line import conceal_argument
from gnomon.cli.log_lines import configure_logging
from gnomon.cli.output import say
from gnomon.errors import UsageError
from gnomon.operator.assemble import Settings, assemble
from gnomon.operator.home import DEFAULT_HOME, Home, HomeLock
from gnomon.operator.jobs import Stores
from gnomon.operator.listening import Listener
from gnomon.operator.machine import default_slots
from gnomon.resources.quantities import parse_duration
from gnomon.stores.repositories.address import parse_address
from gnomon.stores.repositories.interface import Repository


def up(
    repo: Annotated[str, typer.Option("--repo", envvar="GNOMON_REPO", help="URL or path of the Git remote to follow.")],
    branch: Annotated[str, typer.Option(help="Branch to follow.")] = "main",
    home: Annotated[Path, typer.Option(help="Folder for everything the operator keeps.")] = DEFAULT_HOME,
    listen: Annotated[str, typer.Option(help="Address of the control plane.")] = "127.0.0.1:8080",
    serve: Annotated[str, typer.Option(help="Address of the gateway.")] = "127.0.0.1:8081",
    interval: Annotated[str | None, typer.Option(help="Time between two polls of the remote, such as 30s.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of the gateway.")] = 1,
    slots: Annotated[int | None, typer.Option(min=1, help="Training steps at the same time (default: processors).")] = None,
) -> None:
    """Follow a Git repository and make reality match it, until SIGTERM or Ctrl-C. The gateway goes on serving."""
    configure_logging()
    token = os.environ.pop("GNOMON_TOKEN", "")  # Popped, so that no process started from here inherits it.
    os.environ.pop("GNOMON_REPO", None)
    variables = {name: value for name, value in os.environ.items() if name.startswith("OPENLINEAGE_")}
    os.environ.pop("OPENLINEAGE_API_KEY", None)
    conceal_argument(_userinfo(repo))
    require_guard(listen, token)
    every, place = _interval(interval), Home(home.expanduser().resolve())
    _require_repository(repo, place)
    with ExitStack() as stack:
        # The lock comes first: who starts an operator twice is told of the other one, not of a port that is taken.
        about: dict[str, Any] = {"pid": os.getpid(), "serve": serve, "branch": branch}
        lock = HomeLock(place)
        lock.acquire(about)
        stack.callback(lock.release)
        bound = stack.enter_context(bind(listen))
        address = address_of(bound)
        about["listen"] = address
        settings = Settings(
            repository=repo,
            branch=branch,
            home=place,
            serve=serve,
            interval=every,
            timeout=timedelta(seconds=60),
            workers=workers,
            slots=slots or default_slots(),
        )
        assembly = assemble(settings, make_listener=lineage_listener(variables, stack))
        stack.callback(assembly.close)
        stack.enter_context(_stopping_on_signals(assembly.operator.stop))
        gateway = assembly.gateway.ensure()
        about |= {"serve": gateway.address, "repo": assembly.repository.url}
        api = ApiServer(ControlPlane(assembly, {"serve": gateway.address, "home": str(place.path)}, token), bound)
        api.start()
        stack.callback(api.stop)
        lock.tell({**about, "ready": True})
        say(f"operator: http://{address}  gateway: http://{gateway.address}  home: {place.path}", err=True)
        if gateway.address != serve and not serve.endswith(":0"):
            say(f"the gateway was up already, and goes on at {gateway.address} instead of {serve}", err=True)
        assembly.operator.run()
        say(f"the operator stops; the gateway goes on serving (`gnomon down --home {place.path}` stops it)", err=True)


def lineage_listener(variables: Mapping[str, str], stack: ExitStack) -> Callable[[Stores, Repository], Listener] | None:
    """Return what makes the listener that tells a collector of lineage; None where nobody asked for one."""
    if not variables:
        return None
    from gnomon.lineage.openlineage.emitter import emitter_of  # noqa: PLC0415 - most operators tell nobody
    from gnomon.lineage.openlineage.listener import DEFAULT_NAMESPACE, OpenLineageListener  # noqa: PLC0415 - likewise

    emitter = emitter_of(variables)
    if emitter is None:
        return None
    stack.callback(emitter.close)
    namespace = variables.get("OPENLINEAGE_NAMESPACE") or DEFAULT_NAMESPACE

    def made(stores: Stores, repository: Repository) -> Listener:
        return OpenLineageListener(
            emitter.emit,
            stores.objects,
            stores.records,
            repository.url,
            repository.branch,
            lambda: datetime.now(UTC),
            namespace,
        )

    return made


def _userinfo(repo: str) -> str:
    """Return what of a URL is nobody's business: the user and the password, or the token, before the ``@``."""
    scheme, divider, rest = repo.partition("://")
    user = rest.partition("/")[0].rpartition("@")[0]
    return user if divider and scheme.lower() in {"http", "https"} else ""


def _require_repository(repo: str, home: Home) -> None:
    """Refuse a path where nothing is. A remote that was followed before may be gone for a while."""
    address = parse_address(repo)
    if address.url.startswith("/") and not Path(address.url).exists() and not home.mirror.exists():
        raise UsageError(f"there is no repository at {address.url}", "give the URL or the path of a Git repository")


def _interval(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--interval {text}: {error}", "for example --interval 30s") from None


@contextmanager
def _stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Stop in an orderly way on SIGTERM or Ctrl-C; who asks a second time is not made to wait."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handle(_number: int, _frame: FrameType | None) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
