"""Environments of the peers, each with its own packages, made once."""

import shutil
import subprocess
import sys
from pathlib import Path

_SKLEARN = ("scikit-learn==1.9.1", "joblib", "numpy")
PACKAGES = {
    "fastapi": ("fastapi", "uvicorn[standard]", "onnxruntime", "onnx", "skl2onnx", "protobuf<7", *_SKLEARN),
    # MLServer's worker processes die with uvloop 0.22 and later.
    "mlserver": ("mlserver", "mlserver-sklearn", "uvloop<0.22", *_SKLEARN),
}


class PeerUnavailableError(Exception):
    """A peer cannot be installed or started here; the text says why."""


def environment(workdir: Path, name: str) -> Path:
    """Return the ``bin`` folder of a peer's environment; makes it where it is not there yet.

    Raises:
        PeerUnavailableError: Its packages cannot be installed.
    """
    root = workdir / "venvs" / name
    ready = root / ".ready"
    wanted = "\n".join(PACKAGES[name])
    if ready.exists() and ready.read_text() == wanted:
        return root / "bin"
    shutil.rmtree(root, ignore_errors=True)
    python = str(root / "bin" / "python")
    if shutil.which("uv"):
        commands = [
            ["uv", "venv", "-q", "--python", sys.executable, str(root)],
            ["uv", "pip", "install", "-q", "--compile-bytecode", "--python", python, *PACKAGES[name]],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(root)],
            [python, "-m", "pip", "install", "-q", *PACKAGES[name]],
        ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PeerUnavailableError(f"{name}: {done.stderr.strip().splitlines()[-1:]}")
    ready.write_text(wanted)
    return root / "bin"
