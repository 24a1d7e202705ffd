"""What makes a run worth starting: the parts that its result depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from gnomon.resources.dataset import DatasetSpec
from gnomon.resources.feature import Feature
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec

_NOT_IN_THE_RESULT = ("suspend", "resources", "retrain", "window")
"""``window`` decides which runs there are. What each comes to follows from the rows that it is given."""


@dataclass(frozen=True)
class Fingerprint:
    """Digests of the model's spec, of the data snapshot or of one window's rows, and of the code that trains and judges.

    ``limits`` is no part of it: what steps may use decides whether there is a result, not which. So other limits are a reason
    to try again what failed, and for nothing else.
    """

    spec: str
    data: str
    code: str
    limits: str = field(default="", compare=False)
    window: str = ""
    """Start and end, where the run is for one window."""

    @property
    def digest(self) -> str:
        """One digest over all parts."""
        window = f"\n{self.window}" if self.window else ""
        return hashlib.sha256(f"{self.spec}\n{self.data}\n{self.code}{window}".encode()).hexdigest()

    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return the parts by name, as runs record them."""
        window = (("window", self.window),) if self.window else ()
        return (("spec", self.spec), ("data", self.data), ("code", self.code), ("limits", self.limits), *window)

    def changed_parts(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the parts that differ from those of an earlier run, leaving limits out."""
        return tuple(name for name, digest in self.parts() if name != "limits" and before.get(name) != digest)

    def has_other_limits(self, before: Mapping[str, str]) -> bool:
        """Return whether an earlier run was held to other limits; one that does not tell was not."""
        return before.get("limits", self.limits) != self.limits


@dataclass(frozen=True)
class NamedSpec:
    """A model's spec, equal to another one exactly if the digest that names it is."""

    digest: str
    spec: ModelSpec = field(compare=False)


def model_fingerprint(model: NamedSpec, dataset: DatasetSpec, data: Digest, code: str, window: str = "") -> Fingerprint:
    """Return the fingerprint of a run. Keys that do not touch the result, such as ``suspend``, do not count.

    Args:
        model: The model's spec.
        dataset: That of its dataset.
        data: The snapshot, or the rows of a window.
        code: Digest of the code that trains and judges.
        window: Start and end of the window, if it is for one.
    """
    spec, limits = _spec_digests(model, dataset.time, dataset.features)
    return Fingerprint(spec, data, code, limits, window)


@lru_cache(maxsize=16384)
def _spec_digests(model: NamedSpec, time_column: str | None, features: tuple[Feature, ...]) -> tuple[str, str]:
    """Return digests of what decides the result, and of the limits."""
    spec = model.spec.json_spec()
    deciding = {key: value for key, value in spec.items() if key not in _NOT_IN_THE_RESULT}
    shared = [feature.model_dump(mode="json") for feature in features]
    return _digest([deciding, time_column, *([shared] if shared else [])]), _digest(spec["resources"])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
