"""The code that trains and judges, as one digest: when it changes, models are made anew."""

import hashlib
from pathlib import Path

import gnomon
from gnomon.evaluation.dag import EVALUATE
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import FunctionRef
from gnomon.training.dag import FIT, PREPARE, REFIT

_ROOT = Path(gnomon.__file__).resolve().parent.parent


def training_code_digest() -> str:
    """Return one digest over the closures of every step function that a run calls."""
    functions = [FunctionRef(_ROOT, file, name) for file, name in (PREPARE, FIT, REFIT, EVALUATE)]
    return hashlib.sha256("\n".join(closure(function).digest for function in functions).encode()).hexdigest()
