"""What a call may see of the environment variables around it: how a machine is set up, and nothing that could be a secret."""

from collections.abc import Mapping
from pathlib import Path

_NAMES = frozenset(
    {
        "HOME",
        "HOSTNAME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LOGNAME",
        "PATH",
        "PYTHONPATH",
        "REQUESTS_CA_BUNDLE",
        "SHELL",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
    }
)
_BEGINNINGS = ("LC_", "SSL_CERT_", "XDG_", "CUDA_", "NVIDIA_", "ROCM_", "HIP_")

# One call is one thread unless it asks for more: a runner gives the parallelism. And libraries that start threads when they are
# imported must not, because a fork copies only the thread that forks. Seen with one thread after import (November 2026,
# x86-64): numpy 2.4, scipy, scikit-learn, lightgbm, onnx, duckdb, matplotlib, pandas and pyarrow (with the setting below; its
# jemalloc starts one otherwise). Seen with more, whatever is set, so left to the calls: polars 2.1, onnxruntime 1.32.
# Preloading scikit-learn and LightGBM saves a call 1.0 s of CPU; polars and onnxruntime cost each call that uses them 0.13 s
# and 0.08 s.
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "ARROW_NUM_THREADS",
)
_SETTINGS = {
    **dict.fromkeys(THREADS, "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # The order of sets of strings is the same in every process, so that equal calls give equal bytes.
    "PYTHONHASHSEED": "0",
}


def surroundings(environ: Mapping[str, str], python: Path | None = None) -> dict[str, str]:
    """Return the environment variables that calls are made with.

    Args:
        environ: What is around now.
        python: The interpreter of another environment: its programs are found first, and no modules of ours.
    """
    kept = {name: value for name, value in environ.items() if name in _NAMES or name.startswith(_BEGINNINGS)}
    if python is not None:
        kept.pop("PYTHONPATH", None)
        kept["PATH"] = f"{python.parent}:{kept.get('PATH', '/usr/bin:/bin')}"
        kept["VIRTUAL_ENV"] = str(python.parent.parent)
    return {**kept, **_SETTINGS}


def threads(number: int) -> tuple[tuple[str, str], ...]:
    """Return the settings for libraries that a call loads by itself, so that they use some threads."""
    return tuple((name, str(number)) for name in THREADS) if number > 1 else ()
