"""What makes a run worth starting: the parts that its result depends on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from gnomon.resources.dataset import DatasetSpec
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec

_NOT_IN_THE_RESULT = ("suspend", "resources", "retrain")


@dataclass(frozen=True)
class Fingerprint:
    """Digests of the model's spec, the data snapshot, and the code that trains and judges."""

    spec: str
    data: str
    code: str

    @property
    def digest(self) -> str:
        """One digest over all parts."""
        return hashlib.sha256(f"{self.spec}\n{self.data}\n{self.code}".encode()).hexdigest()

    def parts(self) -> tuple[tuple[str, str], ...]:
        """Return the parts by name, as runs record them."""
        return (("spec", self.spec), ("data", self.data), ("code", self.code))

    def changed_parts(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the parts that differ from those of an earlier run."""
        return tuple(name for name, digest in self.parts() if before.get(name) != digest)


def model_fingerprint(model: ModelSpec, dataset: DatasetSpec, snapshot: Digest, code: str) -> Fingerprint:
    """Return the fingerprint of a run. Keys that do not touch the result, such as ``suspend``, do not count."""
    spec = {key: value for key, value in model.json_spec().items() if key not in _NOT_IN_THE_RESULT}
    text = json.dumps([spec, dataset.time], sort_keys=True, separators=(",", ":"))
    return Fingerprint(hashlib.sha256(text.encode()).hexdigest(), snapshot, code)
