"""What the page on training says of each algorithm, for the tests that hold the program to it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@dataclass(frozen=True)
class DocumentedExport:
    """One row of the table of exports."""

    verdict: str
    largest_difference: float
    one_row: str
    instead: str


@cache
def exports() -> dict[str, DocumentedExport]:
    """Return what the table of exports says, by algorithm."""
    text = PAGE.read_text().partition("\n## Exports\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    return {name: DocumentedExport(verdict, float(most), cost, instead) for name, verdict, most, cost, instead in rows[1:]}
