"""The demo's repository: a bare remote, a person's clone, and what that person commits."""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from gnomon.demo.flights import FEATURES, KEY, TARGET, TIME, month, write_month
from gnomon.errors import ConflictError, RepositoryError

MODEL = SERVICE = "arrival-delay"
METRIC = "rmse"
BEST_FEATURE = "dep_delay"
_REQUESTS = 2000
_PUSH_ATTEMPTS = 20
_PERSON = (
    "-c",
    "user.name=Ada",
    "-c",
    "user.email=ada@example.com",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "core.hooksPath=/dev/null",
)

_PROJECT = """\
apiVersion: gnomon.dev/v1alpha1
kind: Project
metadata: {name: flights-demo}
spec:
  source: {interval: 1s}
"""

_DATASET = f"""\
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {{name: flights}}
spec:
  source: {{files: data/flights/*.parquet}}
  time: {TIME}
  key: [{", ".join(KEY)}]
  checks:
    - {{name: enough-rows, expr: "count(*) >= 10000", fail: block}}
    - {{name: few-missing, expr: "avg({TARGET} is null) < 0.1", fail: warn}}
"""

_MODEL = """\
apiVersion: gnomon.dev/v1alpha1
kind: Model
metadata: {{name: {model}}}
spec:
  task: regression
  dataset: flights
  target: {target}
  features: [{features}]
  split: {{by: time, test: 15%}}
  candidates:
    - {{algorithm: ridge, search: {{alpha: [1, 100]}}}}
    - {{algorithm: hist-gradient-boosting}}
    - {{algorithm: lightgbm, search: {{num_leaves: [15, 63]}}}}
  metric: rmse
  gates:
    - {{metric: rmse, max: 30}}
    - {{metric: rmse, against: champion, improveBy: 1%, confidence: 0.9}}
    - {{metric: latencyP99, max: 20ms}}
    - {{metric: size, max: 50MiB}}
"""

_SERVICE = f"""\
apiVersion: gnomon.dev/v1alpha1
kind: Service
metadata: {{name: {SERVICE}}}
spec:
  model: {MODEL}
"""


@dataclass(frozen=True)
class DemoRepository:
    """A remote, and the clone of the person who pushes to it."""

    remote: Path
    clone: Path

    @staticmethod
    def create(folder: Path) -> "DemoRepository":
        """Make an empty bare remote and a clone with the manifests, not pushed yet."""
        remote, clone = folder / "flights.git", folder / "clone"
        _git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
        _git(folder, "init", "-q", "-b", "main", str(clone))
        repository = DemoRepository(remote, clone)
        repository.git("remote", "add", "origin", str(remote))
        repository._write("gnomon.yaml", _PROJECT)
        repository._write("datasets/flights.yaml", _DATASET)
        repository._write(f"models/{MODEL}.yaml", _model(FEATURES))
        repository._write(f"services/{SERVICE}.yaml", _SERVICE)
        repository.git("add", "-A")
        repository.git("commit", "-qm", "Begin")
        repository.git("push", "-q", "-u", "origin", "main")
        return repository

    def add_months(self, *numbers: int) -> None:
        """Write months of flights into the data folder."""
        for number in numbers:
            write_month(number, self.clone / "data" / "flights" / f"2013-{number:02d}.parquet")

    def push(self, message: str) -> float:
        """Commit everything and push it; return when it was on the remote, in monotonic seconds."""
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self._push()

    def push_without_best_feature(self) -> float:
        """Push the bad change: the model without its best feature."""
        self._write(f"models/{MODEL}.yaml", _model(tuple(name for name in FEATURES if name != BEST_FEATURE)))
        return self.push("Simplify the features")

    def revert_release(self, version: int) -> float:
        """``git revert`` the commit that released a version, and push; return when it was on the remote."""
        self._pull()
        subject = f"release({SERVICE}): {MODEL} v{version}"
        path = f"releases/default/{SERVICE}.yaml"
        for line in self.git("log", "--format=%H %s", "--", path).splitlines():
            revision, _, said = line.partition(" ")
            if said == subject:
                self.git("revert", "--no-edit", revision)
                return self._push()
        raise RepositoryError(f"no commit says {subject!r}", f"see `git -C {self.clone} log`")

    def april_requests(self) -> list[bytes]:
        """Return request bodies with one real April flight each, in the order in which they were to leave."""
        flights = month(4).drop_nulls([TARGET])
        rows = flights.gather_every(max(1, flights.height // _REQUESTS)).select(FEATURES)
        return [json.dumps({"inputs": _inputs(row, rows.schema)}).encode() for row in rows.iter_rows(named=True)]

    def git(self, *arguments: str) -> str:
        """Run Git in the clone."""
        return _git(self.clone, *arguments)

    def _write(self, path: str, content: str) -> None:
        file = self.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def _push(self) -> float:
        """Push, on top of whatever the operator pushed meanwhile."""
        for _ in range(_PUSH_ATTEMPTS):
            self._pull()
            try:
                self.git("push", "-q", "origin", "main")
            except RepositoryError:
                continue
            return time.monotonic()
        raise ConflictError("somebody else always pushed first", "look at the remote")

    def _pull(self) -> None:
        self.git("pull", "-q", "--rebase", "origin", "main")


def _model(features: tuple[str, ...]) -> str:
    return _MODEL.format(model=MODEL, target=TARGET, features=", ".join(features))


def _inputs(row: dict[str, Any], schema: pl.Schema) -> list[dict[str, Any]]:
    inputs = []
    for name, value in row.items():
        dtype = schema[name]
        if dtype == pl.String or dtype.is_temporal():
            text = value.isoformat() if value is not None and dtype.is_temporal() else value
            inputs.append({"name": name, "shape": [1], "datatype": "BYTES", "data": [text]})
        else:
            datatype = "INT64" if dtype.is_integer() else "FP64"
            inputs.append({"name": name, "shape": [1], "datatype": datatype, "data": [value]})
    return inputs


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *_PERSON, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RepositoryError(f"git {arguments[0]} failed: {done.stderr.strip()}", f"look at {folder}")
    return done.stdout
