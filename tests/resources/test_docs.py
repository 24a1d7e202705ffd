"""The pages of the kinds: their examples are declared together, and their tables are those of the program."""

import os
import re
from pathlib import Path

import pytest

from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.field_table import field_rows
from gnomon.resources.kinds import KINDS

ROOT = Path(__file__).parents[2]
PAGES = {kind: ROOT / "docs" / "resources" / f"{kind.lower()}.md" for kind in KINDS}
HEADINGS = ["Example", "Fields", "Status", "Failures"]


def section(kind: str, heading: str) -> str:
    return PAGES[kind].read_text().split(f"## {heading}\n")[1].split("\n## ")[0].strip()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_page_with_the_same_headings(kind: str) -> None:
    text = PAGES[kind].read_text()
    assert text.startswith(f"# {kind}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS


def test_the_examples_are_one_good_repository() -> None:
    files = []
    for kind in KINDS:
        (example,) = re.findall(r"```yaml\n(.*?)```", section(kind, "Example"), re.DOTALL)
        path = "releases/pricing/arrival-delay.yaml" if kind == "Release" else f"{kind}.yaml"
        files.append(ManifestFile(path, kind, example.encode()))
    compiled = compile_tree(files)
    assert [str(problem) for problem in compiled.problems] == []
    assert {key.kind for key in compiled.declared} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_fields_are_those_of_the_program_golden(kind: str) -> None:
    rows = [f"| `{row.path}` | {row.type} | {row.default} | {row.meaning} |" for row in field_rows(kind)]
    table = "\n".join(["| key | takes | default | meaning |", "|---|---|---|---|", *rows])
    if os.environ.get("GNOMON_REWRITE_GOLDEN"):
        before, after = PAGES[kind].read_text().split("## Fields\n")
        PAGES[kind].write_text(f"{before}## Fields\n\n{table}\n\n## Status{after.split('## Status', 1)[1]}")
    assert section(kind, "Fields") == table


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_of_a_status_is_one_that_the_operator_gives(kind: str) -> None:
    reasons = re.findall(r"^\| `(\w+)` \|", section(kind, "Status"), re.MULTILINE)
    source = "".join(path.read_text() for path in (ROOT / "src" / "gnomon" / "operator").rglob("*.py"))
    assert reasons
    assert [reason for reason in reasons if f'"{reason}"' not in source] == []
