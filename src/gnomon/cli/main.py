"""The entry point ``gnomon``: finds a command, runs it, and turns whatever goes wrong into a message and an exit code.

A command's module is imported only when that command runs, so that ``gnomon --help`` stays as quick as the interpreter.
"""

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from gnomon.errors import DeadlineError, GnomonError, UsageError
from gnomon.version import __version__

FAILED, USAGE, TIMED_OUT, BROKEN, INTERRUPTED = 1, 2, 3, 70, 130
"""Exit codes besides 0. ``BROKEN`` is a fault of gnomon itself (EX_SOFTWARE of sysexits.h)."""

_DEBUG = "GNOMON_DEBUG"


@dataclass(frozen=True)
class Command:
    """Where a command lives: ``attribute`` of ``module`` is a function with Typer's annotations, or a ``typer.Typer``."""

    name: str
    module: str
    attribute: str
    help: str


COMMANDS = (
    Command("init", "gnomon.cli.init", "init", "Make a small repository that works at once."),
    Command("validate", "gnomon.cli.validate", "validate", "Check every manifest in a folder, or in one file."),
    Command("schema", "gnomon.cli.schema", "schema", "Print the JSON Schema of manifests, for editors."),
    Command("infer", "gnomon.cli.infer", "infer", "Propose a schema from what the rows hold."),
    Command("plan", "gnomon.cli.plan", "plan", "Show what the operator would do if this folder were committed."),
    Command("up", "gnomon.cli.up", "up", "Follow a Git repository and make reality match it."),
    Command("down", "gnomon.cli.down", "down", "Stop the operator of a home and then its gateway."),
    Command("demo", "gnomon.cli.demo", "demo", "Run the whole loop on real flights."),
    Command("status", "gnomon.cli.get", "status", "Tell in a few lines whether reality matches Git."),
    Command("get", "gnomon.cli.get", "get", "List resources of a kind with their readiness, or show one."),
    Command("describe", "gnomon.cli.get", "describe", "Show everything that is known of one resource."),
    Command("events", "gnomon.cli.events", "events", "List what happened, oldest first."),
    Command("wait", "gnomon.cli.wait", "wait", "Wait until a resource is as asked."),
    Command("run", "gnomon.cli.run", "run", "Run a pipeline now, by the operator or here."),
    Command("cancel", "gnomon.cli.run", "cancel", "End a run that is under way."),
    Command("why", "gnomon.cli.why", "why", "Tell why a step of a run ran, or did not."),
    Command("runs", "gnomon.cli.runs", "runs", "List runs, newest first, or show the steps of one."),
    Command("logs", "gnomon.cli.runs", "logs", "Print what the steps of a run wrote."),
    Command("report", "gnomon.cli.report", "report", "Tell how a version, or what a run made, was judged."),
    Command("quality", "gnomon.cli.quality", "quality", "Tell what was found about the rows of a dataset."),
    Command("trace", "gnomon.cli.trace", "trace", "Tell where a thing came from, and what used it."),
    Command("reproduce", "gnomon.cli.reproduce", "reproduce", "Make a version again, and compare it bit for bit."),
    Command("history", "gnomon.cli.release", "history", "List the releases of a service, newest first."),
    Command("rollback", "gnomon.cli.release", "rollback", "Commit the revert of a release, and push it."),
    Command("predict", "gnomon.cli.predict", "predict", "Predict rows with the version that serves now."),
    Command("devices", "gnomon.cli.devices", "devices", "List the GPUs of this machine and their health."),
    Command("reconcile", "gnomon.cli.reconcile", "reconcile", "Let the operator ask the Git remote at once."),
)
"""Every command, in the order in which people meet them."""


class _Commands(TyperGroup):
    """The group of all commands, each loaded when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        return [command.name for command in COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is Typer's
        return next((_loaded(command) for command in COMMANDS if command.name == cmd_name), None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        names = self.list_commands(ctx)
        if args[0] not in names:
            from gnomon.resources.wording import did_you_mean  # noqa: PLC0415 - needed for this one message only

            raise UsageError(f'there is no command "{args[0]}"', did_you_mean(args[0], names, what="commands"))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        with formatter.section("Commands"):
            formatter.write_dl([(command.name, command.help) for command in COMMANDS])


def _loaded(command: Command) -> Any:
    target = getattr(import_module(command.module), command.attribute)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False, rich_markup_mode=None)
        target.command(command.name, context_settings=_CONTEXT)(function)
    loaded = get_command(target)
    loaded.name = command.name
    return loaded


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}

_app = typer.Typer(cls=_Commands, rich_markup_mode=None, no_args_is_help=True, context_settings=_CONTEXT)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gnomon {__version__}")
        raise typer.Exit


@_app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """GitOps for machine learning: Git declares datasets, models and services; one operator makes reality match.

    Commands find the operator by GNOMON_URL (default http://127.0.0.1:8080) and GNOMON_TOKEN. Exit codes: 0 done, 1 failed,
    2 wrong usage, 3 timed out waiting, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; see ``gnomon --help``."""
    try:
        result = get_command(_app)(arguments, prog_name="gnomon", standalone_mode=False)
    except GnomonError as error:
        _tell(error.cause, error.mend)
        return TIMED_OUT if isinstance(error, DeadlineError) else USAGE if isinstance(error, UsageError) else FAILED
    except typer.TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: people get a message, not a traceback
        _tell(_unexpected(error), f"set {_DEBUG}=1 to see all of it, and report it: this is a fault of gnomon")
        return BROKEN
    return result if isinstance(result, int) else 0


def _tell(cause: str, mend: str) -> None:
    if os.environ.get(_DEBUG):
        traceback.print_exc()
    typer.echo(f"error: {_harmless(cause)}", err=True)
    if mend:
        typer.echo(f"  mend: {_harmless(mend)}", err=True)


def _harmless(text: str) -> str:
    """Return text that may quote what others wrote; whatever it holds, it commands no terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)


def _usage(error: typer.TyperException) -> int:
    """Tell what is wrong with the arguments; a group that was given none shows its help instead."""
    context: Any = getattr(error, "ctx", None)
    message = error.format_message().replace("Value error, ", "")  # The checker's word, which says nothing to people.
    if context is not None and message == context.get_help():
        typer.echo(message, err=True)
    else:
        mend = f"see {context.command_path} --help" if context is not None else ""
        _tell(message[:1].lower() + message[1:].rstrip("."), mend)
    return getattr(error, "exit_code", USAGE)


def _unexpected(error: Exception) -> str:
    """Return what happened and where in our own code it did."""
    ours = Path(__file__).parent.parent
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(ours)]
    where = f" at {Path(frames[-1].filename).relative_to(ours.parent)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {error}"


if __name__ == "__main__":
    raise SystemExit(main())
