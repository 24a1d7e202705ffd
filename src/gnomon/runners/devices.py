"""The GPUs of this machine: their names, memory and health, as the driver's own ``nvidia-smi`` tells them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_FIELDS = ("index", "uuid", "name", "memory.total", "memory.free", "temperature.gpu", "ecc.errors.uncorrected.volatile.total")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_MEBIBYTE = 2**20
_DEADLINE_S = 10.0
_HOT_C = 95
"""Degrees from which on every current card throttles itself."""


@dataclass(frozen=True)
class Device:
    """One GPU.

    Args:
        id: What ``CUDA_VISIBLE_DEVICES`` calls it.
        uuid: Its own name, which no other order of slots changes; empty where it does not tell.
        name: Its model.
        memory_bytes: Its memory; 0 where it does not tell.
        free_bytes: What of it nobody uses now.
        healthy: Whether steps may be given to it.
        health: What is wrong with it, or ``ok``.
    """

    id: str
    uuid: str
    name: str
    memory_bytes: int
    free_bytes: int
    healthy: bool
    health: str


@dataclass(frozen=True)
class Devices:
    """What was found, and a ``note`` where that is not sure."""

    devices: tuple[Device, ...] = ()
    note: str = ""

    @property
    def healthy_ids(self) -> tuple[str, ...]:
        """The devices that steps may be given to."""
        return tuple(device.id for device in self.devices if device.healthy)


def find_devices(environ: Mapping[str, str] = os.environ) -> Devices:
    """Return the GPUs that this process may use; none where there is no driver. Never raises, and never takes long.

    Args:
        environ: ``PATH`` says where ``nvidia-smi`` is looked for, ``CUDA_VISIBLE_DEVICES`` which devices are left out.
    """
    program = shutil.which("nvidia-smi", path=environ.get("PATH", os.defpath))
    if program is None:
        return Devices(note="there is no nvidia-smi here, so no NVIDIA driver")
    asked = [program, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=_DEADLINE_S, env=dict(environ))
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
        return Devices(note=f"nvidia-smi does not answer: {type(error).__name__}")
    found = tuple(device for line in told.stdout.splitlines() if (device := _device(line)) is not None)
    if told.returncode and not found:
        reason = (told.stdout.strip() or told.stderr.strip()).partition("\n")[0]
        return Devices(note=f"nvidia-smi failed: {reason or f'exit code {told.returncode}'}")
    return Devices(tuple(device for device in found if _is_visible(device, environ)))


def _device(line: str) -> Device | None:
    """Return the device of a line; a field that a card does not have reads ``[N/A]``, one of a lost card is an error."""
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(_FIELDS) or not cells[0].isdigit():
        return None
    index, uuid, name, total, free, temperature, errors = cells
    health = _health(cells, temperature, errors)
    return Device(index, uuid, name, _number(total) * _MEBIBYTE, _number(free) * _MEBIBYTE, health == "ok", health)


def _health(cells: list[str], temperature: str, errors: str) -> str:
    lost = next((cell for cell in cells if "lost" in cell.lower() or "error" in cell.lower()), None)
    if lost is not None:
        return f"it does not answer: {lost.strip('[]')}"
    if _number(errors):
        return f"{_number(errors)} uncorrected memory errors since it was reset"
    if _number(temperature) >= _HOT_C:
        return f"it is at {_number(temperature)} °C"
    return "ok"


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _is_visible(device: Device, environ: Mapping[str, str]) -> bool:
    """Return whether ``CUDA_VISIBLE_DEVICES`` leaves the device in: by its number, or by the start of its UUID."""
    if _VISIBLE not in environ:
        return True
    named = [each.strip() for each in environ[_VISIBLE].split(",")]
    return any(each == device.id or (len(each) > 4 and device.uuid.startswith(each)) for each in named)
