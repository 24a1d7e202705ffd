"""Runs ours and the peers in turns, each command in a process of its own, and makes rows of the medians."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.environments import PeerUnavailableError, clean_environment, environment
from bench.pipelines.work import Variant, write_chain, write_fits
from bench.table import Row, median
from bench.usage import CommandFailedError, Used, used_by

_GROUP = "pipelines"
_HERE = Path(__file__).parent
_LENGTH = 50
_SHORT = 10
_ROUNDS = 3

# Prefect 3.9 asks for a newer certifi than some registries serve.
_PEERS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "prefect": (("prefect==3.9.1",), ("certifi",)),
    "dagster": (("dagster==1.13.29",), ()),
    "dvc": (("dvc==3.67.1",), ()),
}


@dataclass(frozen=True)
class _Result:
    used: Used
    lines: Sequence[Mapping[str, Any]]
    ran: int
    """How many steps were really executed: each notes it in a file."""

    @property
    def value(self) -> Any:
        return next(line["value"] for line in reversed(self.lines) if "value" in line)


class _Lab:
    """A folder for each engine, and how to run it there."""

    def __init__(self, workdir: Path) -> None:
        self._workdir = workdir
        self._folder = workdir / _GROUP
        self._missing: dict[str, str] = {}

    def folder(self, name: str, *, fresh: bool = False) -> Path:
        folder = self._folder / name
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def binaries(self, peer: str) -> Path:
        """Return the ``bin`` folder of a peer. Raises PeerUnavailableError, and does not try twice."""
        if peer in self._missing:
            raise PeerUnavailableError(self._missing[peer])
        try:
            return environment(self._workdir, peer, *_PEERS[peer])
        except PeerUnavailableError as error:
            self._missing[peer] = str(error)
            raise

    def run(self, engine: str, script: Path, folder: Path, *arguments: str) -> _Result:
        """Run a script of ours or of a peer in the folder of its work."""
        python = Path(sys.executable) if engine not in _PEERS else self.binaries(engine) / "python"
        log = folder / "exec.log"
        log.unlink(missing_ok=True)
        try:
            used = used_by([str(python), str(script), *arguments], folder, self._variables(folder, engine))
        except CommandFailedError as error:
            raise PeerUnavailableError(f"{engine} does not run here: {error}") from error
        lines = [json.loads(line) for line in used.output.splitlines() if line.startswith("{")]
        return _Result(used, lines, len(log.read_text().split()) if log.exists() else 0)

    def help_cpu_s(self, program: Path, folder: Path) -> float:
        return used_by([str(program), "--help"], folder, self._variables(folder, "help")).cpu_s

    def _variables(self, folder: Path, engine: str) -> dict[str, str]:
        home = folder / "home" / engine
        for each in (home, home / "dagster"):
            each.mkdir(parents=True, exist_ok=True)
        (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        return {
            **clean_environment(),
            "HOME": str(home),
            "EXEC_LOG": str(folder / "exec.log"),
            "PYTHONPATH": str(folder),
            "PYTHONWARNINGS": "ignore",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DAGSTER_HOME": str(home / "dagster"),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DVC_NO_ANALYTICS": "1",
            "DO_NOT_TRACK": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }


def measure(workdir: Path) -> list[Row]:
    """Measure everything; some three minutes once the peers are installed in ``workdir/venvs``."""
    lab = _Lab(workdir.resolve())
    return [*_chain_rows(lab), *_cache_rows(lab), *_fit_rows(lab), _help_row(lab)]


# The chain


@dataclass(frozen=True)
class _Ours:
    cold_cpu_s: float
    warm_cpu_s: float
    again_cpu_s: float
    again_ran: int
    warm_again_cpu_s: float


def _chain_rows(lab: _Lab) -> list[Row]:
    ours = _our_chain(lab)
    folder = lab.folder("forks", fresh=True)
    write_chain(folder, _LENGTH)
    limit = median([lab.run("forks", _HERE / "peers" / "bare_forks.py", folder).used.cpu_s for _ in range(_ROUNDS)])
    again = f"the same again unchanged, {ours.again_ran} steps run"
    return [
        _absolute(
            f"chain of {_LENGTH} steps, a process each, in a fresh driver: CPU",
            ours.cold_cpu_s,
            0.4,
            limit=limit,
            note="the limit is bare forks",
        ),
        _absolute(
            f"chain of {_LENGTH} steps, a process each, in a driver that is up, as the operator is: CPU", ours.warm_cpu_s, 0.4
        ),
        _against(lab, "prefect", ours.cold_cpu_s, limit, 20.0),
        _against(lab, "dagster", ours.cold_cpu_s, limit, 8.0),
        _absolute(
            f"{again}, in a fresh driver: CPU", ours.again_cpu_s, 0.1, note="half of it is importing the standard library"
        ),
        _absolute(f"{again}, in a driver that is up: CPU", ours.warm_again_cpu_s, 0.1),
    ]


def _absolute(budget: str, ours: float, most: float, *, limit: float | None = None, note: str = "") -> Row:
    return Row(_GROUP, budget, ours, None, limit, "s", None, f"≤ {most:g} s", ours <= most, note)


def _our_chain(lab: _Lab) -> _Ours:
    cold, warm, again, ran, warm_again = [], [], [], [], []
    for _ in range(_ROUNDS):
        _meet(lab, "ours", _HERE / "ours.py", "chain", "1", "1")
        folder = lab.folder("ours")
        write_chain(folder, _LENGTH)
        first = lab.run("ours", _HERE / "ours.py", folder, "chain", str(_LENGTH), "1")
        assert (first.value, first.ran) == (sum(range(_LENGTH)), _LENGTH), first
        second = lab.run("ours", _HERE / "ours.py", folder, "chain", str(_LENGTH), "1")
        third = lab.run("ours", _HERE / "ours.py", folder, "chain", str(_LENGTH), "3")
        cold.append(first.used.cpu_s)
        again.append(second.used.cpu_s)
        ran.append(second.ran)
        assert [line["ran"] for line in third.lines] == [0, _LENGTH, 0], third.lines
        warm.append(third.lines[1]["cpu_s"])
        warm_again.append(third.lines[2]["cpu_s"])
    return _Ours(median(cold), median(warm), median(again), max(ran), median(warm_again))


def _meet(lab: _Lab, engine: str, script: Path, *arguments: str) -> None:
    """Let an engine make its database and its home, with a step that is none of the chain's."""
    folder = lab.folder(engine, fresh=True)
    write_chain(folder, 1, "first contact")
    lab.run(engine, script, folder, *arguments)


def _against(lab: _Lab, peer: str, ours: float, limit: float, goal: float) -> Row:
    what = f"chain of {_LENGTH} steps: CPU against {peer.title()}"
    script = _HERE / "peers" / f"{peer}_chain.py"
    seen = []
    try:
        for _ in range(_ROUNDS):
            _meet(lab, peer, script)
            folder = lab.folder(peer)
            write_chain(folder, _LENGTH)
            result = lab.run(peer, script, folder)
            assert (result.value, result.ran) == (sum(range(_LENGTH)), _LENGTH), result
            seen.append(result.used.cpu_s)
    except PeerUnavailableError as error:
        return Row(_GROUP, what, ours, None, limit, "s", None, f"≥ {goal:g} x", None, str(error))
    theirs = median(seen)
    return Row(_GROUP, what, ours, theirs, limit, "s", theirs / ours, f"≥ {goal:g} x", theirs / ours >= goal)


# What a cache notices


def _cache_rows(lab: _Lab) -> list[Row]:
    rows = []
    edits: tuple[tuple[Variant, str, int, int], ...] = (
        ("helper", "a helper two imports away changed", _SHORT, sum(range(_SHORT)) + _SHORT),
        ("comment", "a comment changed", 0, sum(range(_SHORT))),
    )
    for variant, what, steps, value in edits:
        ran, found = _after_edit(lab, "ours", _HERE / "ours.py", variant, "chain", str(_SHORT), "1")
        notes, peer_ran = [], None
        for peer in ("prefect", "joblib"):
            try:
                theirs, answer = _after_edit(lab, peer, _HERE / "peers" / f"{peer}_chain.py", variant)
            except PeerUnavailableError as error:
                notes.append(str(error))
                continue
            peer_ran = float(theirs) if peer == "prefect" else peer_ran
            verdict = "right" if answer == value else f"STALE, {answer} for {value}"
            notes.append(f"{peer} runs {theirs}: {verdict}")
        budget = f"{what}, chain of {_SHORT}: steps run"
        holds = None if peer_ran is None else ran == steps and found == value
        rows.append(
            Row(_GROUP, budget, float(ran), peer_ran, None, "steps", None, f"{steps}, right value", holds, "; ".join(notes))
        )
    return rows


def _after_edit(lab: _Lab, engine: str, script: Path, variant: Variant, *arguments: str) -> tuple[int, Any]:
    """Return how many steps run after an edit of the chain that has run once, and the value then."""
    folder = lab.folder(engine, fresh=True)
    write_chain(folder, _SHORT)
    lab.run(engine, script, folder, *arguments)
    write_chain(folder, _SHORT, variant)
    result = lab.run(engine, script, folder, *arguments)
    return result.ran, result.value


# Real fits


def _fit_rows(lab: _Lab) -> list[Row]:
    ours: list[_Result] = []
    theirs: list[_Result] = []
    for _ in range(_ROUNDS):
        for engine, script, arguments, seen in (
            ("joblib", _HERE / "peers" / "joblib_fits.py", (), theirs),
            ("ours", _HERE / "ours.py", ("fits", "0", "1"), ours),
        ):
            folder = lab.folder(f"fits-{engine}", fresh=True)
            write_fits(folder)
            seen.append(lab.run(engine, script, folder, *arguments))
    values = {result.value for result in (*ours, *theirs)}
    assert len(values) == 1, values
    our_s, their_s = (median([result.used.wall_s for result in results]) for results in (ours, theirs))
    cpus = " and ".join(f"{median([result.used.cpu_s for result in results]):.1f} s" for results in (ours, theirs))
    what = "24 fits of scikit-learn and LightGBM, two at a time: wall, against joblib"
    note = f"a fresh process for each fit, against two workers that stay; CPU {cpus}"
    return [Row(_GROUP, what, our_s, their_s, None, "s", our_s / their_s, "≤ 1.05 x", our_s / their_s <= 1.05, note)]


# The command line


def _help_row(lab: _Lab) -> Row:
    folder = lab.folder("help")
    ours = median([lab.help_cpu_s(Path(sys.executable).with_name("gnomon"), folder) for _ in range(5)])
    what, goal = "gnomon --help: CPU, against dvc --help", "≤ 0.15 s"
    try:
        program = lab.binaries("dvc") / "dvc"
        theirs = median([lab.help_cpu_s(program, folder) for _ in range(5)])
    except (PeerUnavailableError, CommandFailedError) as error:
        return Row(_GROUP, what, ours, None, None, "s", None, goal, None, str(error))
    return Row(_GROUP, what, ours, theirs, None, "s", theirs / ours, goal, ours <= 0.15)
