"""Expected texts that stand in files beside the tests; ``make golden`` rewrites them, and the difference is reviewed."""

import os
from pathlib import Path


def assert_golden(path: Path, text: str) -> None:
    """Compare ``text`` with what the file holds."""
    if os.environ.get("GNOMON_REWRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs: look why, or run make golden"
