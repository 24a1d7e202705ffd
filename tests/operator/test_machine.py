import pytest

from gnomon.operator.controllers.model import reconcile_model
from gnomon.operator.machine import Machine, lacking, this_machine
from gnomon.operator.outcomes import Stalled
from gnomon.resources.model import Candidate, Model, ModelSpec, Resources
from gnomon.runners.devices import Device, Devices
from tests.operator.states import MANIFESTS, MODEL, MODEL_YAML, NOW, desired_of, settled

WELL = Device("0", "GPU-a", "NVIDIA H200", 2**37, 2**37, healthy=True, health="ok")
SICK = Device("1", "GPU-b", "NVIDIA H200", 2**37, 2**37, healthy=False, health="7 uncorrected memory errors since it was reset")


def _spec(gpu: int, *algorithms: str) -> ModelSpec:
    candidates = tuple(Candidate.model_validate({"algorithm": algorithm}) for algorithm in algorithms)
    return ModelSpec(task="regression", dataset="d", target="t", candidates=candidates, resources=Resources(gpu=gpu))


@pytest.mark.parametrize(
    ("gpu", "devices", "told"),
    [
        (0, Devices(note="there is no nvidia-smi here"), ""),
        (1, Devices((WELL,)), ""),
        (1, Devices(note="there is no nvidia-smi here"), "asks for 1, and this machine has 0; there is no nvidia-smi here"),
        (2, Devices((WELL, SICK)), "asks for 2, and this machine has 1; not usable: NVIDIA H200 (7 uncorrected memory errors"),
    ],
)
def test_a_model_that_asks_for_more_gpus_than_are_well_is_told(gpu: int, devices: Devices, told: str) -> None:
    found = lacking(_spec(gpu, "torch-mlp"), Machine(devices))
    assert (told in found) if told else not found


@pytest.mark.parametrize(
    ("algorithms", "missing", "extra"),
    [
        (("torch-mlp",), {"torch"}, "gnomon[torch]"),
        (("torch-mlp", "torch-lstm", "xgboost"), {"torch", "xgboost"}, "gnomon[torch,xgboost]"),
        (("torch-mlp", "ridge"), {"torch"}, ""),
        (("torch-mlp",), {"xgboost"}, ""),
    ],
)
def test_extras_are_missed_where_no_candidate_can_do_without(
    algorithms: tuple[str, ...], missing: set[str], extra: str
) -> None:
    found = lacking(_spec(0, *algorithms), Machine(missing=frozenset(missing)))
    assert (extra in found) if extra else not found


def test_looking_at_this_machine_imports_nothing_of_the_extras() -> None:
    assert this_machine().missing <= {"torch", "xgboost", "skops"}


def test_nothing_is_started_on_a_machine_that_lacks_something_and_a_person_is_told() -> None:
    desired = desired_of(MANIFESTS | {"model.yaml": MODEL_YAML + "  resources: {gpu: 64}\n"})
    model = desired.compiled.declared[MODEL].resource
    assert isinstance(model, Model)
    decision = reconcile_model(model, desired, settled(desired), NOW)
    assert isinstance(decision.outcome, Stalled)
    assert decision.outcome.reason == "MachineLacks"
    assert "spec.resources.gpu asks for 64" in decision.outcome.message
    assert decision.actions == ()
