"""What a run's result depends on besides commit and data: the interpreter, the libraries, the processor. Runs record it."""

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gnomon.runners.surroundings import THREADS
from gnomon.version import __version__

_LIBRARIES = (
    "duckdb",
    "lightgbm",
    "msgspec",
    "numpy",
    "onnx",
    "onnxruntime",
    "polars",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
    "xgboost-cpu",
)
"""What fits, exports or reads; those that are not installed are left out."""
_PROCESSOR = Path("/proc/cpuinfo")


@cache
def run_environment() -> Mapping[str, Any]:
    """Return what steps run with in this process's environment, as plain JSON values. It does not change while we live."""
    return {
        "gnomon": __version__,
        "python": f"{platform.python_version()} ({sys.implementation.name})",
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        # Matrix libraries choose their routines by it, and routines differ in the last bits.
        "processor": _processor(),
        # Of every step, whatever the machine has: sums of another number of threads differ in the last bits.
        "threads": 1,
        "threadSettings": list(THREADS),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    """Return the name of the processor, or an empty text where the system does not tell."""
    try:
        lines = _PROCESSOR.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
