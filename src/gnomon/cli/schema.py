"""``gnomon schema``: what may stand in a manifest, for editors and for people."""

import json
from typing import Annotated

import typer

from gnomon.cli.output import Column, Format, print_rows
from gnomon.errors import UsageError
from gnomon.evaluation.report_schema import report_schema
from gnomon.resources.field_table import field_rows
from gnomon.resources.json_schema import kind_schema, manifest_schema
from gnomon.resources.kinds import canonical_kind

_COLUMNS = (
    Column("KEY", "path"),
    Column("TYPE", "type"),
    Column("DEFAULT", "default"),
    Column("MEANING", "meaning"),
)


def schema(
    kind: Annotated[str | None, typer.Argument(help="One kind, or report; all kinds where it is left out.")] = None,
    fields: Annotated[bool, typer.Option("--fields", help="Print a table of the kind's keys instead.")] = False,
) -> None:
    """Print the JSON Schema of manifests, for editors; ``report`` is that of the reports of judged runs."""
    if kind == "report":
        if fields:
            raise UsageError("a report has no table of keys", "leave --fields out, or see docs/evaluation.md")
        typer.echo(json.dumps(report_schema(), indent=2))
        return
    name = canonical_kind(kind) if kind is not None else None
    if not fields:
        typer.echo(json.dumps(manifest_schema() if name is None else kind_schema(name), indent=2))
    elif name is None:
        raise UsageError("--fields needs a kind", "write, for example, gnomon schema model --fields")
    else:
        print_rows(field_rows(name), _COLUMNS, Format.TABLE)
