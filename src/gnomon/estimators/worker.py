"""The process that an estimator answers from: it gets a payload and then rows, and nothing else of the machine.

It is started by ``inference.worker_process``, which never sees an object of Python's own, only numbers and texts.
"""

import os
import resource
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ArtifactError, GnomonError
from gnomon.inference.messages import Answers, Failed, Load, Loaded, Predict, decode_matrices, encode_matrices, read, write

MEMORY_BYTES = 4 * 2**30
_LIBRARIES = ("lightgbm", "numpy", "polars", "scikit-learn", "scipy", "skops", "xgboost")


def main() -> None:
    """Answer requests until the other end closes."""
    confine()
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)  # what a library prints must not look like an answer
    predict: Callable[[Predict], Answers] | None = None
    while (request := read(incoming, Load | Predict)) is not None:
        try:
            if isinstance(request, Load):
                predict = loaded(request)
                reply: Loaded | Answers | Failed = Loaded(libraries())
            elif predict is None:
                reply = Failed("rows came before a payload", "report it: this is a fault of gnomon")
            else:
                reply = predict(request)
        except GnomonError as error:
            reply = Failed(error.cause, error.mend)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything; the caller is told, and goes on
            text = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
            reply = Failed(f"the estimator failed on these rows: {text}", "check it on these rows where it was trained")
        write(outgoing, reply)


def confine() -> None:
    """Take from this process what answering does not need: memory without end, files to write, core dumps."""
    limits = (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    )
    for limit, most in limits:
        _, hard = resource.getrlimit(limit)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (allowed, allowed))


def libraries() -> dict[str, str]:
    """Return the versions of the libraries that answers may depend on."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # an extra
    return found


def loaded(request: Load) -> Callable[[Predict], Answers]:
    """Return what answers rows with the estimator of a payload.

    Raises:
        ArtifactError: The payload is refused, or skops cannot read it.
    """
    from gnomon.estimators.payload import vet_payload  # noqa: PLC0415 - after the limits are set
    from gnomon.estimators.rows import frame_of  # noqa: PLC0415

    vet_payload(request.payload)
    try:
        from skops.io import get_untrusted_types, loads  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ArtifactError("this model needs skops, which is not installed here", "install gnomon[python-runtime]") from error
    from gnomon.estimators.answers import answers_of  # noqa: PLC0415

    try:
        estimator = loads(request.payload, trusted=get_untrusted_types(data=request.payload))
    except Exception as error:
        text = str(error).partition("\n")[0][:300]
        raise ArtifactError(
            f"the payload cannot be loaded here: {text}", "install the library that it was made with"
        ) from error
    signature = request.signature

    def predict(rows: Predict) -> Answers:
        feed: dict[str, NDArray[Any]] = decode_matrices(rows.matrices)
        return Answers(encode_matrices(answers_of(estimator, frame_of(signature.inputs, feed), signature)))

    return predict


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
    sys.exit(0)
