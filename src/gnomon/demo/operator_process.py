"""The demo's operator: ``gnomon up`` as a person would start it, asked over its API."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from gnomon.errors import OperatorUnreachableError

_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 30.0


@dataclass
class OperatorProcess:
    """A running operator and what it answers."""

    process: subprocess.Popen[bytes]
    home: Path
    log: Path
    listen: str
    serve: str

    @staticmethod
    def start(remote: Path, home: Path) -> "OperatorProcess":
        """Start an operator on free ports that polls every second."""
        home.mkdir(parents=True, exist_ok=True)
        log = home.parent / "operator.log"
        command = [sys.executable, "-m", "gnomon.cli.main", "up", "--repo", str(remote), "--home", str(home)]
        command += ["--listen", "127.0.0.1:0", "--serve", "127.0.0.1:0", "--interval", "1s"]
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + _START_DEADLINE_S
        while time.monotonic() < deadline and process.poll() is None:
            about = _about(home)
            if about.get("pid") == process.pid and about.get("ready"):
                return OperatorProcess(process, home, log, about["listen"], about["serve"])
            time.sleep(0.02)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        raise OperatorUnreachableError("the operator did not start", f"see {log}")

    def down(self) -> None:
        """Stop operator and gateway as ``gnomon down`` does."""
        command = [sys.executable, "-m", "gnomon.cli.main", "down", "--home", str(self.home)]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * _STOP_DEADLINE_S, check=False)
        try:
            self.process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def require_alive(self) -> None:
        """Raise when the operator is gone."""
        if self.process.poll() is not None:
            raise OperatorUnreachableError(f"the operator ended with status {self.process.returncode}", f"see {self.log}")

    def serves(self, service: str, version: int) -> bool:
        """Return whether the service is ready with that version."""
        items = self._get("/resources", kind="Service")["items"]
        item = next((item for item in items if item["metadata"]["name"] == service), None)
        if item is None:
            return False
        conditions = {condition["type"]: condition["status"] for condition in item["status"]["conditions"]}
        return conditions.get("Ready") == "True" and item["status"].get("version") == version

    def latest_run(self, model: str) -> dict[str, Any]:
        """Return the newest run of a model, or an empty mapping."""
        items: list[dict[str, Any]] = self._get("/runs", model=model, limit="1")["items"]
        return items[0] if items else {}

    def progress(self, model: str) -> str:
        """Return how far the run under way has come, in words."""
        return str(self.latest_run(model).get("progress") or "")

    def _get(self, path: str, **query: str) -> Any:
        try:
            answer = httpx.get(f"http://{self.listen}/api/v1{path}", params=query, timeout=10, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise OperatorUnreachableError(f"the operator does not answer: {error}", f"see {self.log}") from error
        return answer.json()


def _about(home: Path) -> dict[str, Any]:
    try:
        found = json.loads((home / "operator.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
