"""``gnomon reproduce``: a version is made again, and compared bit for bit."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say
from gnomon.lineage.kept import opened
from gnomon.lineage.reproduction import Reproduction
from gnomon.lineage.reproduction import reproduce as made_again
from gnomon.operator.home import DEFAULT_HOME, Home
from gnomon.operator.machine import default_slots

_DIFFERENT = 1
_SHORT = 19
_COLUMNS = (
    Column("WHAT", "what"),
    Column("VERDICT", "verdict"),
    Column("RECORDED", "recorded"),
    Column("HERE", "remade"),
)


def reproduce(
    what: Annotated[str, typer.Argument(metavar="MODEL:VERSION | RUN", help="What to make again.")],
    home: Annotated[Path, typer.Option(envvar="GNOMON_HOME", help="The operator's folder.")] = DEFAULT_HOME,
    keep: Annotated[Path | None, typer.Option(help="A new folder to leave everything in that was made.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Carry the whole search out again, instead of following it.")
    ] = False,
    slots: Annotated[int | None, typer.Option(min=1, help="Steps at the same time (default: processors).")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Make a version again from its commit and data, in a fresh folder, and compare digests bit for bit.

    Nothing that is known is taken: the rows are prepared, the winner is fitted with what the search found, and packed. Exit
    code 0 says that everything is equal, 1 that something differs. The operator may run meanwhile, or not.
    """
    with opened(Home(home.expanduser().resolve())) as kept:
        found = made_again(
            kept,
            what,
            slots=slots or default_slots(),
            folder=keep,
            whole=everything,
            progress=lambda text: say(text, err=True),
        )
    if output in {Format.JSON, Format.YAML}:
        print_document(found.to_json(), output)
    else:
        print_rows(_rows(found), _COLUMNS, output)
        say(f"run {found.run.id} at {found.run.revision[:10]}: {found.message}")
    if not found.is_equal:
        raise typer.Exit(_DIFFERENT)


def _rows(found: Reproduction) -> list[dict[str, str]]:
    listed = [(item.name, item) for item in (found.artifact, *found.files) if item is not None]
    listed += [(f"{step.name} {item.name}", item) for step in found.steps for item in step.items]
    rows = [
        {
            "what": name,
            "verdict": "equal" if item.is_equal else "differs",
            "recorded": item.recorded[:_SHORT],
            "remade": item.remade[:_SHORT],
        }
        for name, item in listed
    ]
    return rows + [{"what": d.name, "verdict": "differs", "recorded": d.recorded, "remade": d.here} for d in found.environment]
