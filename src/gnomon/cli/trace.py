"""``gnomon trace``: back to data files and commits, and forward to what used a thing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped
from gnomon.cli.output import Format, Output, print_document, say


def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A prediction id, a digest, MODEL:VERSION, a service, RUN, RUN/STEP, a step key, a commit, a path.",
        ),
    ],
    home: Annotated[Path | None, typer.Option(help="Look into this operator's folder, instead of asking the operator.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Tell where a thing came from, back to data files and commits, and what used it.

    Digests, keys and commits may be cut off after seven digits. A prediction id that the gateway minted tells its artifact; for
    an id that a caller gave, name what the header x-gnomon-digest of the answer said.
    """
    found = ControlClient().get(f"/trace/{escaped(what)}") if home is None else _in_home(home, what)
    if output in {Format.JSON, Format.YAML}:
        print_document(found, output)
        return
    from gnomon.lineage.graph import text_lines  # noqa: PLC0415 - programs that read JSON do without

    for line in text_lines(found):
        say(line)


def _in_home(home: Path, what: str) -> Mapping[str, Any]:
    from gnomon.lineage.archive import Archive  # noqa: PLC0415 - asking an operator needs none of this
    from gnomon.lineage.kept import opened  # noqa: PLC0415 - likewise
    from gnomon.lineage.trace import trace as traced  # noqa: PLC0415 - likewise
    from gnomon.operator.home import Home  # noqa: PLC0415 - likewise

    with opened(Home(home.expanduser().resolve())) as kept:
        return traced(Archive(kept.records, kept.objects, kept.repository), what).to_json()
