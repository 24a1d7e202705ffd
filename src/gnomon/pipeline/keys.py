"""The key of a step: a digest over all that its result depends on."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

_FORMAT = b"gnomon-step-1"


def canonical_json(value: Any) -> bytes:
    """Return the one encoding of a JSON value: sorted keys, no spaces, ASCII, and floats by their shortest exact digits.

    Raises:
        TypeError: The value holds something that JSON does not know.
        ValueError: It holds a NaN or an infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def environment() -> str:
    """Return what a result depends on besides code and packages: the version of Python and the kind of machine."""
    return f"python {sys.version_info.major}.{sys.version_info.minor} {os.uname().machine}"


def step_key(closure: str, params: Mapping[str, Any], inputs: Mapping[str, Any], seed: int) -> str:
    """Return the key of a step, 64 hexadecimal digits.

    Args:
        closure: Digest of the function's code closure.
        params: JSON values.
        inputs: Argument name -> codec and digest of a kept value, or lists and mappings of those.
        seed: What the generators of random numbers start from.
    """
    whole = hashlib.sha256()
    parts = (
        _FORMAT,
        closure.encode(),
        canonical_json(params),
        canonical_json(inputs),
        environment().encode(),
        str(seed).encode(),
    )
    for part in parts:
        # The length in front keeps the parts apart: no two steps can flow into the same bytes.
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()
