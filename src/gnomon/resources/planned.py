"""What the design knows and this version does not have yet.

People who write one of these get told so, instead of being told that they made a mistake. Whoever builds one removes it here.
"""

from collections.abc import Mapping

from gnomon.resources.base import Strict
from gnomon.resources.dataset import Check, Column, DatasetSpec
from gnomon.resources.dataset import Source as DatasetSource
from gnomon.resources.model import Gate, ModelSpec, Resources, Retrain, Split
from gnomon.resources.pipeline import Trigger
from gnomon.resources.project import ProjectSpec, Prune, Sync, WriteBack
from gnomon.resources.project import Source as ProjectSource
from gnomon.resources.release import ReleaseSpec
from gnomon.resources.service import Limits, ReleasePolicy, ServiceSpec

PLANNED_KINDS = frozenset({"Playbook", "Budget", "Access", "Receiver"})

PLANNED_KEYS: Mapping[type[Strict], frozenset[str]] = {
    ProjectSpec: frozenset({"environment", "runtime", "suspend"}),
    ProjectSource: frozenset({"branch", "include", "verify"}),
    Sync: frozenset({"drift", "retry", "validation"}),
    Prune: frozenset({"maxObjects", "confirm"}),
    WriteBack: frozenset({"fallback", "signingKey"}),
    DatasetSpec: frozenset({"snapshot", "labels"}),
    DatasetSource: frozenset({"parquet", "credentials"}),
    Column: frozenset({"maxCardinality"}),
    Check: frozenset({"for"}),
    ModelSpec: frozenset({"train", "artifact", "triggers"}),
    Split: frozenset({"folds"}),
    Gate: frozenset({"maxRegression"}),
    Resources: frozenset({"cpu"}),
    ServiceSpec: frozenset({"scale", "log", "monitor", "access", "endpoint"}),
    ReleasePolicy: frozenset({"canary", "shadow", "analysis", "windows", "strategy"}),
    Limits: frozenset({"requestsPerSecond", "memory"}),
    ReleaseSpec: frozenset({"cause"}),
    Trigger: frozenset({"alert"}),
}
"""Keys of the design, by the mapping in which they will stand."""

PLANNED_VALUES: Mapping[tuple[type[Strict], str], frozenset[str]] = {
    (Gate, "against"): frozenset({"stable"}),
    (Retrain, "when"): frozenset({"drift"}),
    (ReleasePolicy, "promote"): frozenset({"branch"}),
    (WriteBack, "mode"): frozenset({"branch", "pull-request"}),
}
"""Values of the design, by the key that will take them."""
