"""The commands in docs/protocol.md answer what it says."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.serving.process import GatewayHandle, start_gateway, stop_gateway
from gnomon.serving.routes import ROUTES_FILE, Route, RouteTable, Target, write_routes
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import keep, regression_model

_PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
_INPUTS = (InputColumn("km", "float", "floats", 0, nullable=False), InputColumn("bags", "integer", "floats", 1))
_SIGNATURE = Signature("regression", "fare", _INPUTS, (Output("prediction", "FP32"),))
_VARYING = re.compile(r"(sha256:|date: |content-length: )[^\s]…?.*")


def _examples() -> list[tuple[str, str]]:
    """Return the commands of the page with what they print."""
    examples = []
    for block in re.findall(r"^```console\n(.*?)^```$", _PAGE.read_text(), re.DOTALL | re.MULTILINE):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            # A command ends with the line at which its quotes are closed.
            lines = example.splitlines()
            count = next(n for n in range(1, len(lines) + 1) if "\n".join(lines[:n]).count("'") % 2 == 0)
            examples.append(("\n".join(lines[:count]), "\n".join(lines[count:])))
    return examples


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayHandle]:
    root = tmp_path_factory.mktemp("docs")
    golden = GoldenRows({"km": [1.0], "bags": [None]}, [2.5])
    digest = keep(OciLayout(root / "oci"), regression_model(2.5), ArtifactConfig("fare", _SIGNATURE), golden)
    write_routes(root / "home" / ROUTES_FILE, RouteTable(1, {"fare": Route("rides", Target("1", digest))}))
    yield start_gateway(root / "home", root / "oci", "127.0.0.1:0", 1)
    stop_gateway(root / "home", timedelta(seconds=20))


def test_the_page_has_examples() -> None:
    assert len(_examples()) >= 8


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("command", "printed"), _examples())
def test_a_command_prints_what_the_page_says(gateway: GatewayHandle, command: str, printed: str) -> None:
    here = command.replace("127.0.0.1:8081", gateway.address)
    done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, check=True)
    shown = done.stdout.replace("\r", "").rstrip("\n")
    assert _VARYING.sub(r"\1…", shown) == _VARYING.sub(r"\1…", printed)
