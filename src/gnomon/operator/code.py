"""The code that trains and judges, as one digest: when it changes, models are made anew."""

import hashlib
from pathlib import Path

import gnomon
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import FunctionRef

_ROOT = Path(gnomon.__file__).resolve().parent.parent
_STEP_FUNCTIONS = (
    ("gnomon/training/steps.py", "prepare"),
    ("gnomon/training/steps.py", "fit_candidate"),
    ("gnomon/training/steps.py", "refit"),
    ("gnomon/evaluation/steps.py", "evaluate"),
)


def training_code_digest() -> str:
    """Return one digest over the closures of every step function that a run calls."""
    functions = [FunctionRef(_ROOT, file, name) for file, name in _STEP_FUNCTIONS]
    return hashlib.sha256("\n".join(closure(function).digest for function in functions).encode()).hexdigest()
