import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import pytest
import typer

from gnomon.cli import main as cli
from gnomon.cli.main import BROKEN, COMMANDS, INTERRUPTED, TIMED_OUT, USAGE, Command, main
from gnomon.errors import DataError, DeadlineError, GnomonError, UsageError
from gnomon.version import __version__

Register = Callable[[Callable[..., object]], None]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Make a function the command ``trial``."""

    def registered(function: Callable[..., object]) -> None:
        monkeypatch.setattr(sys.modules[__name__], "trial_command", function, raising=False)
        monkeypatch.setattr(cli, "COMMANDS", (*COMMANDS, Command("trial", __name__, "trial_command", "Try.")))

    return registered


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GnomonError("it is so", "do this"), 1),
        (DataError("it is so", "do this"), 1),
        (UsageError("it is so", "do this"), 2),
        (DeadlineError("it is so", "do this"), 3),
    ],
)
def test_an_error_is_told_with_its_mend_and_its_exit_code(
    register: Register, capsys: pytest.CaptureFixture[str], error: GnomonError, code: int
) -> None:
    register(raising(error))
    assert main(["trial"]) == code
    assert capsys.readouterr() == ("", "error: it is so\n  mend: do this\n")
    assert (USAGE, TIMED_OUT) == (2, 3)


def test_an_unforeseen_error_is_a_message_and_no_traceback(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    register(raising(ValueError("boom")))
    assert main(["trial"]) == BROKEN == 70
    told = capsys.readouterr().err
    assert told.startswith("error: ValueError at gnomon/cli/main.py:")
    assert ": boom\n" in told
    assert "GNOMON_DEBUG=1" in told
    assert "Traceback" not in told


def test_debugging_shows_the_traceback(
    register: Register, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNOMON_DEBUG", "1")
    register(raising(ValueError("boom")))
    assert main(["trial"]) == BROKEN
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_quietly(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    register(raising(KeyboardInterrupt()))
    assert main(["trial"]) == INTERRUPTED == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_command_decides_its_exit_code(register: Register) -> None:
    register(raising(typer.Exit(1)))
    assert main(["trial"]) == 1


def test_a_whole_typer_is_a_group_of_commands(register: Register, capsys: pytest.CaptureFixture[str]) -> None:
    group = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    group.command("a")(lambda: typer.echo("did a"))
    group.command("b")(lambda: typer.echo("did b"))
    register(group)
    assert main(["trial", "b"]) == 0
    assert capsys.readouterr().out == "did b\n"
    assert main(["trial"]) == USAGE
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "cause", "mend"),
    [
        (["valdate"], 'there is no command "valdate"', 'did you mean "validate"?'),
        (["--nonsense"], "no such option: --nonsense", "see gnomon --help"),
        (["validate", "--nonsense"], "no such option: --nonsense", "see gnomon validate --help"),
        (["init"], "missing argument 'DIR'", "see gnomon init --help"),
        (["init", "x", "--template", "y"], "'y' is not one of 'regression', 'classification'", "see gnomon init --help"),
    ],
)
def test_wrong_arguments_are_told_with_a_mend(
    capsys: pytest.CaptureFixture[str], arguments: list[str], cause: str, mend: str
) -> None:
    assert main(arguments) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert cause in err
    assert err.endswith(f"  mend: {mend}\n")
    assert "Value error" not in err


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == USAGE
    assert capsys.readouterr().err.startswith("Usage: gnomon ")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gnomon {__version__}\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main([option]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name} " in out
        assert command.help in out


def test_help_imports_no_command_and_no_library_but_typer() -> None:
    """What is not imported costs nothing; this is what keeps the help as quick as the interpreter."""
    script = (
        "import sys\nfrom gnomon.cli.main import main\nassert main(['--help']) == 0\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('rich', 'yaml', 'pydantic', 'numpy', 'httpx', 'polars', 'sqlalchemy', 'starlette')\n"
        "       or name.startswith(('gnomon.resources', 'gnomon.operator', 'gnomon.cli.')) and name != 'gnomon.cli.main'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there_and_explains_itself(command: Command) -> None:
    function = getattr(import_module(command.module), command.attribute)
    assert (function.__doc__ or "").strip()
    assert command.help.endswith(".")
    assert len(command.help) < 70
