"""Small projects of user code, written into a folder."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from gnomon.pipeline.dag import FunctionRef


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project; other files in the folder stay."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return root


def fit(root: Path, name: str = "fit", file: str = "train.py") -> FunctionRef:
    """Name a function of a project."""
    return FunctionRef(root, file, name)
