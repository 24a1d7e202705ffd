from pathlib import Path

import pytest

from gnomon.runners.devices import Device, find_devices

_GIB = 2**30


def _with_program(folder: Path, script: str) -> dict[str, str]:
    """Return an environment whose ``nvidia-smi`` is a script of ours: this machine need not have a GPU."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def _telling(folder: Path, *lines: str) -> dict[str, str]:
    return _with_program(folder, "cat <<'END'\n" + "\n".join(lines) + "\nEND")


WELL = "0, GPU-aaaa1111, NVIDIA H200, 143771, 143000, 34, 0"
OTHER = "1, GPU-bbbb2222, NVIDIA GeForce RTX 3090, 24576, 20480, 50, [N/A]"


def test_a_machine_without_a_driver_has_none(tmp_path: Path) -> None:
    found = find_devices({"PATH": str(tmp_path)})
    assert found.devices == ()
    assert "no nvidia-smi" in found.note


def test_name_memory_and_health_are_told(tmp_path: Path) -> None:
    found = find_devices(_telling(tmp_path, WELL, OTHER))
    assert found.devices[1] == Device(
        "1", "GPU-bbbb2222", "NVIDIA GeForce RTX 3090", 24 * _GIB, 20 * _GIB, healthy=True, health="ok"
    )
    assert found.healthy_ids == ("0", "1")


@pytest.mark.parametrize(
    ("line", "health"),
    [
        ("0, GPU-aaaa1111, NVIDIA H200, 143771, 143000, 34, 7", "7 uncorrected memory errors"),
        ("0, GPU-aaaa1111, NVIDIA H200, 143771, 143000, 99, 0", "it is at 99 °C"),
        (
            "0, [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost], [GPU is lost]",
            "does not answer: GPU is lost",
        ),
        ("0, GPU-a, NVIDIA H200, [Unknown Error], [Unknown Error], [Unknown Error], [N/A]", "does not answer: Unknown Error"),
    ],
)
def test_a_sick_device_is_listed_and_given_to_nobody(tmp_path: Path, line: str, health: str) -> None:
    found = find_devices(_telling(tmp_path, line, OTHER))
    assert health in found.devices[0].health
    assert found.healthy_ids == ("1",)


@pytest.mark.parametrize(
    ("visible", "ids"), [("1", ("1",)), ("", ()), ("0, 1", ("0", "1")), ("GPU-bbbb", ("1",)), ("-1", ()), ("GPU-", ())]
)
def test_devices_that_are_hidden_from_this_process_are_left_out(tmp_path: Path, visible: str, ids: tuple[str, ...]) -> None:
    environ = _telling(tmp_path, WELL, OTHER) | {"CUDA_VISIBLE_DEVICES": visible}
    assert find_devices(environ).healthy_ids == ids


@pytest.mark.parametrize(
    ("script", "note"),
    [
        (
            "echo 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'; exit 9",
            "could not communicate",
        ),
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_a_program_that_fails_is_told(tmp_path: Path, script: str, note: str) -> None:
    found = find_devices(_with_program(tmp_path, script))
    assert found.devices == ()
    assert note in found.note


def test_lines_that_are_no_devices_are_left_out(tmp_path: Path) -> None:
    assert find_devices(_telling(tmp_path, "No devices were found", "", "a, b", WELL)).healthy_ids == ("0",)
