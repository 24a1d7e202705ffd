"""What this machine has that a model may ask for: GPUs, and the libraries of the extras."""

import os
from dataclasses import dataclass, field
from importlib.util import find_spec

from gnomon.resources.model import ModelSpec
from gnomon.runners.devices import Devices, find_devices

_EXTRA_OF_MODULE = {"torch": "torch", "xgboost": "xgboost", "skops": "python-runtime"}


@dataclass(frozen=True)
class Machine:
    """What steps find here; taken once, when the operator starts.

    Args:
        devices: The GPUs.
        missing: Modules of extras that are not installed.
    """

    devices: Devices = field(default_factory=Devices)
    missing: frozenset[str] = frozenset()


def this_machine() -> Machine:
    """Look at this machine."""
    return Machine(find_devices(), frozenset(module for module in _EXTRA_OF_MODULE if find_spec(module) is None))


def lacking(spec: ModelSpec, machine: Machine) -> str:
    """Return why a run of a model cannot come to anything here, and what to do; nothing where it can.

    A candidate that lacks its library fails alone, as long as there is another.
    """
    asked, healthy = spec.resources.gpu, len(machine.devices.healthy_ids)
    if asked > healthy:
        sick = [f"{device.name} ({device.health})" for device in machine.devices.devices if not device.healthy]
        why = f"; not usable: {', '.join(sick)}" if sick else f"; {machine.devices.note}" if machine.devices.note else ""
        return f"spec.resources.gpu asks for {asked}, and this machine has {healthy}{why} - see gnomon devices, or lower gpu"
    needed = [_module_of(candidate.algorithm) for candidate in spec.candidates]
    without = {module for module in needed if module in machine.missing}
    if needed and all(module in machine.missing for module in needed):
        extras = ",".join(sorted(_EXTRA_OF_MODULE[module] for module in without if module))
        names = " or ".join(sorted(module for module in without if module))
        return f"every candidate needs {names}, which is not installed here: install gnomon[{extras}]"
    return ""


def _module_of(algorithm: str) -> str | None:
    if algorithm.startswith("torch-"):
        return "torch"
    return "xgboost" if algorithm == "xgboost" else None


def default_slots() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0))
