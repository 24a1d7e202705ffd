"""The key of a step: a digest over all that its result depends on, and the parts that it is made of."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

_FORMAT = b"gnomon-step-1"
_SHORT_PARAMETER = 200
"""Characters of a parameter that are noted whole; a longer one is noted by its digest."""


class KeyParts(NamedTuple):
    """What the key of a step is made of.

    Args:
        closure: Digest of the function's code closure, or of a command's words and files.
        params: JSON values.
        inputs: Argument name -> codec and digest of a kept value, or lists and mappings of those.
        seed: What the generators of random numbers start from.
        more: What few steps have, by name: ``environment``, ``secrets``, ``results``, ``gpu``, ``cpus``. Empty where a step has
            none, and then no part of the key.
    """

    closure: str
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    seed: int
    more: Mapping[str, Any] = {}

    def noted(self, sources: Mapping[str, str]) -> dict[str, Any]:
        """Return the parts as short plain values, for the journal.

        Args:
            sources: Argument name -> the step that it is the result of, for those that are.
        """
        return {
            "closure": self.closure,
            "params": {name: _short(value) for name, value in self.params.items()},
            "inputs": {
                name: {"digest": _digest_of(kept), **({"step": sources[name]} if name in sources else {})}
                for name, kept in self.inputs.items()
            },
            "seed": self.seed,
            "machine": environment(),
            **self.more,
        }


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


def step_key(parts: KeyParts) -> str:
    """Return the key of a step, 64 hexadecimal digits."""
    whole = hashlib.sha256()
    fields = [
        _FORMAT,
        parts.closure.encode(),
        canonical_json(parts.params),
        canonical_json(parts.inputs),
        environment().encode(),
        str(parts.seed).encode(),
    ]
    if parts.more:
        fields.append(canonical_json(parts.more))
    for field in fields:
        # The length in front keeps the parts apart: no two steps can flow into the same bytes.
        whole.update(len(field).to_bytes(8, "big"))
        whole.update(field)
    return whole.hexdigest()


def _short(value: Any) -> Any:
    text = canonical_json(value)
    return value if len(text) <= _SHORT_PARAMETER else {"digest": hashlib.sha256(text).hexdigest()}


def _digest_of(kept: Any) -> str:
    if isinstance(kept, Mapping) and "digest" in kept:
        return str(kept["digest"])
    return hashlib.sha256(canonical_json(kept)).hexdigest()
