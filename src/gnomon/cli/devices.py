"""``gnomon devices``: the GPUs of this machine."""

from gnomon.cli.output import Column, Format, Output, print_rows
from gnomon.runners.devices import Device, find_devices

_GIBIBYTE = 2**30
_COLUMNS = (
    Column("ID", "id"),
    Column("NAME", "name"),
    Column("MEMORY", "memory"),
    Column("FREE", "free"),
    Column("HEALTH", "health"),
    Column("UUID", "uuid", wide=True),
)


def devices(output: Output = Format.TABLE) -> None:
    """List the GPUs of this machine, with their memory and health. A model or a step asks for one by resources.gpu: 1."""
    found = find_devices()
    print_rows([_row(device) for device in found.devices], _COLUMNS, output, documents=found.devices, empty=_empty(found.note))


def _row(device: Device) -> dict[str, str]:
    return {
        "id": device.id,
        "name": device.name,
        "memory": f"{device.memory_bytes / _GIBIBYTE:.1f} GiB",
        "free": f"{device.free_bytes / _GIBIBYTE:.1f} GiB",
        "health": device.health,
        "uuid": device.uuid,
    }


def _empty(note: str) -> str:
    return f"no GPU: {note}" if note else "no GPU that this process may use"
