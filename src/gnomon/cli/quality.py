"""``gnomon quality``: what the rows of a dataset look like, and what to look at."""

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say

_FINDINGS = (
    Column("SEVERITY", "severity"),
    Column("WHAT", "what"),
    Column("MEND", "mend", wide=True),
)


def quality(
    dataset: Annotated[str, typer.Argument(help="A dataset, such as flights or dataset/flights.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the whole report as a page.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Tell what was found about a dataset's last snapshot, the gravest first; -o json prints every figure."""
    client = ControlClient()
    key = parse_reference(dataset, "Dataset").key(namespace)
    path = f"/datasets/{escaped(key.namespace)}/{escaped(key.name)}/quality"
    if html is not None:
        html.write_text(client.text(f"{path}.html"))
        say(f"wrote {html}")
        return
    report = client.get(path)
    if output in {Format.JSON, Format.YAML}:
        print_document(report, output)
        return
    say(f"{report['dataset']}: {report['rows']:,} rows, {len(report['columns'])} columns, snapshot {report['snapshot'][:19]}")
    print_rows(report["findings"], _FINDINGS, output, documents=report["findings"], empty="nothing to worry about")
