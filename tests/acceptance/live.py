"""A whole Gnomon for tests: a real remote, a person with a clone, `gnomon up` as a process of its own, a real gateway."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from gnomon.demo.operator_process import OperatorProcess
from tests.git_remote import Clone, make_remote

DEADLINE_S = 90.0


class Live:
    """One remote, one person, one operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = make_remote(folder)
        self.person = Clone(self.remote, folder / "clone")
        self.home = folder / "home"
        self.operator: OperatorProcess | None = None
        # One client for all: making one takes longer than asking.
        self._http = httpx.Client(timeout=10, trust_env=False)

    def up(self) -> OperatorProcess:
        """Start an operator on the home; a second one adopts the gateway of the first."""
        self.operator = OperatorProcess.start(self.remote, self.home)
        return self.operator

    def close(self) -> None:
        """Stop everything."""
        self._http.close()
        if self.operator is not None:
            self.operator.down()

    def kill_operator(self) -> None:
        """Kill the operator so that it can do nothing more."""
        assert self.operator is not None
        os.killpg(self.operator.process.pid, signal.SIGKILL)
        self.operator.process.wait(10)

    def push(self, message: str, **files: str | bytes) -> str:
        """Commit files (names with / written as __ are given by ``push_files``) and push."""
        return self.push_files(message, files)

    def push_files(self, message: str, files: Mapping[str, str | bytes | None]) -> str:
        """Write (or remove, where None) files, commit, take up what others pushed, push; return the commit."""
        for path, content in files.items():
            if content is None:
                self.person.remove(path)
            else:
                self.person.write(path, content)
        self.person.commit(message)
        return self.settle_push()

    def settle_push(self) -> str:
        """Push what is committed, on top of whatever the operator pushed meanwhile."""
        for _ in range(20):
            self.person.pull()
            try:
                self.person.push()
            except AssertionError:
                continue
            return self.person.head()
        raise AssertionError("the push was raced twenty times")

    def revert_release(self, service: str, namespace: str = "default") -> str:
        """Revert the newest commit that changed the service's release, and push."""
        self.person.pull()
        path = f"releases/{namespace}/{service}.yaml"
        newest = self.person.git("log", "-1", "--format=%H", "--", path)
        self.person.revert(newest)
        return self.settle_push()

    def api(self, path: str, **query: str) -> Any:
        """Ask the control plane."""
        assert self.operator is not None
        answer = self._http.get(f"http://{self.operator.listen}/api/v1{path}", params=query)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send something to the control plane."""
        assert self.operator is not None
        answer = self._http.post(f"http://{self.operator.listen}/api/v1{path}", json=body or {})
        answer.raise_for_status()
        return answer.json()

    def resource(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any]:
        """Return one resource with its status."""
        found: dict[str, Any] = self.api(f"/resources/{kind}/{namespace}/{name}")
        return found

    def reason(self, kind: str, name: str) -> str:
        """Return the reason and message of a resource's Ready condition."""
        try:
            conditions = self.resource(kind, name)["status"]["conditions"]
        except httpx.HTTPStatusError:
            return "absent"
        return f"{conditions[0]['reason']}: {conditions[0]['message']}" if conditions else "unobserved"

    def version(self, service: str) -> int | None:
        """Return the version that a ready service serves."""
        try:
            status = self.resource("Service", service)["status"]
        except httpx.HTTPStatusError:
            return None
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
        version: int | None = status.get("version") if ready else None
        return version

    def until(self, is_true: Callable[[], bool], what: str, seconds: float = DEADLINE_S) -> None:
        """Wait for something; fail with the operator's last events when it does not come."""
        deadline = time.monotonic() + seconds
        while not is_true():
            assert self.operator is not None
            self.operator.require_alive()
            if time.monotonic() > deadline:
                events = [f"{e['kind']}/{e['name']} {e['reason']}: {e['message']}" for e in self.api("/events")["items"]]
                raise AssertionError(f"{what} did not come; events:\n" + "\n".join(events[-25:]))
            time.sleep(0.03)

    def infer(self, service: str, columns: Mapping[str, Sequence[Any]]) -> httpx.Response:
        """Send rows, by column, to the gateway."""
        assert self.operator is not None
        url = f"http://{self.operator.serve}/v2/models/{service}/infer"
        return httpx.post(url, json={"inputs": tensors(columns)}, timeout=10, trust_env=False)

    def run_cli(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line against this operator."""
        assert self.operator is not None
        environment = {**os.environ, "GNOMON_URL": f"http://{self.operator.listen}"}
        return subprocess.run(
            [sys.executable, "-m", "gnomon.cli.main", *arguments],
            env=environment,
            cwd=cwd or self.person.path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def tensors(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return columns as tensors of the Open Inference Protocol."""
    return [
        {"name": name, "shape": [len(values)], "datatype": datatype(values), "data": list(values)}
        for name, values in columns.items()
    ]


def datatype(values: Sequence[Any]) -> str:
    """Return the datatype that holds the values of a column."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return "BOOL"
    if known and all(isinstance(value, int) for value in known):
        return "INT64"
    return "FP64" if all(isinstance(value, int | float) for value in known) else "BYTES"


def manifests(
    name: str, *, files: str, task: str, target: str, candidates: str, extra: str = "", data: str = ""
) -> dict[str, str]:
    """Return the three files that make a service."""
    head = "apiVersion: gnomon.dev/v1alpha1\nkind: {}\nmetadata: {{name: {}}}\nspec:\n"
    return {
        f"datasets/{name}.yaml": head.format("Dataset", name) + f"  source: {{files: '{files}'}}\n{data}",
        f"models/{name}.yaml": head.format("Model", name)
        + f"  task: {task}\n  dataset: {name}\n  target: {target}\n  candidates: {candidates}\n{extra}",
        f"services/{name}.yaml": head.format("Service", name) + f"  model: {name}\n",
    }


def as_json(text: str) -> Any:
    """Parse the output of a command."""
    return json.loads(text)
