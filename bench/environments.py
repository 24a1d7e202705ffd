"""Environments of peers, each with its own packages below ``WORKDIR/venvs``, made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class PeerUnavailableError(Exception):
    """A peer cannot be installed or run here; the text says why."""


def environment(workdir: Path, name: str, packages: Sequence[str], overrides: Sequence[str] = ()) -> Path:
    """Return the ``bin`` folder of a peer's environment; makes it, with bytecode, where it is not there yet.

    Args:
        workdir: The folder of the benchmarks.
        name: Of the peer.
        packages: Requirements.
        overrides: Requirements that replace what a package asks for, where a registry lags behind; needs uv.

    Raises:
        PeerUnavailableError: The packages cannot be installed.
    """
    root = workdir / "venvs" / name
    ready = root / ".ready"
    wanted = "\n".join((*packages, *overrides))
    if ready.exists() and ready.read_text() == wanted:
        return root / "bin"
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    for command in _commands(root, packages, overrides):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
            raise PeerUnavailableError(f"{name} cannot be installed: {last}")
    ready.write_text(wanted)
    return root / "bin"


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would make every start compile anew."""
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}}


def _commands(root: Path, packages: Sequence[str], overrides: Sequence[str]) -> list[list[str]]:
    python = str(root / "bin" / "python")
    uv = shutil.which("uv")
    if uv is not None and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0:
        extra = []
        if overrides:
            file = root.with_suffix(".overrides.txt")
            file.write_text("\n".join(overrides))
            extra = ["--override", str(file)]
        return [
            [uv, "venv", "-q", "--python", sys.executable, str(root)],
            [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *extra, *packages],
        ]
    return [
        [sys.executable, "-m", "venv", str(root)],
        [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--compile", *packages],
    ]
