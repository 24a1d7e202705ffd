"""``gnomon.load("arrival-delay:7")``: a kept version as a local predictor, without an operator and without a network."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import NotFoundError, UsageError
from gnomon.inference.encoding import Encoder
from gnomon.inference.loading import LoadedArtifact, load_artifact
from gnomon.inference.signature import Signature
from gnomon.registry.frames import columns_of
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.layout import OciLayout

_BATCH_ROWS = 8192
_DIGEST = "sha256:"


@dataclass(frozen=True)
class LocalModel:
    """A version of a model in this process. It answers as a service does: same artifact, same encoding, same runtime."""

    reference: str
    artifact: LoadedArtifact

    @property
    def digest(self) -> Digest:
        """The digest of the artifact."""
        return self.artifact.digest

    @property
    def signature(self) -> Signature:
        """What the model reads, and what it answers."""
        return self.artifact.config.signature

    def predict(self, data: Any) -> dict[str, NDArray[Any]]:
        """Return the answers by output name, one row for each row of ``data``.

        ``prediction`` comes first: numbers, class names, the numbers of clusters, components, or 1 for anomalous rows.
        ``probabilities`` (rows, classes) in the order of ``signature.classes``, ``distances``, or ``score`` come besides.

        Args:
            data: A mapping from column name to values, a pandas or Polars frame, an Arrow table, or a structured NumPy
                array. Columns that the model does not read may be there.

        Raises:
            InputError: A column is missing or holds a value that does not fit; the cause names it.
        """
        encoder = Encoder(self.signature)
        columns = columns_of(data, [column.name for column in self.signature.inputs])
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1 or 0 in lengths:
            encoder.encode(columns)  # which says what is wrong with them
        parts: list[Mapping[str, NDArray[Any]]] = []
        for start in range(0, max(lengths), _BATCH_ROWS):
            feed = encoder.encode({name: values[start : start + _BATCH_ROWS] for name, values in columns.items()})
            parts.append(self.artifact.predictor.predict(feed))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def load(reference: str, home: Path | str | None = None) -> LocalModel:
    """Return a kept model; its golden rows are replayed first.

    Args:
        reference: ``MODEL:VERSION``, ``MODEL`` for its newest version, or a digest ``sha256:…``.
        home: The operator's folder; the default is ``$GNOMON_HOME``, or ``~/.gnomon``.

    Raises:
        NotFoundError: There is no such version here.
        ArtifactError: The artifact cannot be run; GoldenRowsError where this runtime does not reproduce its golden rows.
    """
    folder = Path(home if home is not None else os.environ.get("GNOMON_HOME", "~/.gnomon")).expanduser()
    layout = folder / "artifacts"
    if not layout.is_dir():
        raise NotFoundError(f"{folder} keeps no artifacts", "give the --home of the operator as home, or set GNOMON_HOME")
    store = OciLayout(layout)
    digest = Digest(reference) if reference.startswith(_DIGEST) else resolve(reference, store.tags())
    return LocalModel(reference, load_artifact(store, digest))


def resolve(reference: str, tags: Mapping[str, Digest]) -> Digest:
    """Return the digest that ``MODEL:VERSION`` or ``MODEL`` (its newest version) names.

    Raises:
        UsageError: The reference is empty.
        NotFoundError: No tag is that; the mend names the nearest ones.
    """
    if not reference:
        raise UsageError("the reference of a model is empty", "write MODEL:VERSION, such as arrival-delay:7")
    if reference in tags:
        return tags[reference]
    split = [tag.rpartition(":") for tag in tags]
    versions = [int(version) for name, _, version in split if name == reference and version.isdecimal()]
    if versions:
        return tags[f"{reference}:{max(versions)}"]
    near = difflib.get_close_matches(reference, tags, n=3, cutoff=0.5) or sorted(tags)[:3]
    raise NotFoundError(
        f"no version {reference!r} is kept here", f"did you mean {' or '.join(near)}?" if near else "nothing is registered yet"
    )
