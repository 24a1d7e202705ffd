"""Runs our search and the others over the same flights, each in a process of its own, and makes rows of what came of it."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.environments import PeerUnavailableError, clean_environment, environment
from bench.table import Row
from bench.training.network import network_rows
from bench.training.peers.matrices import area, log_loss
from bench.usage import CommandFailedError, used_by
from gnomon.training.search.row_losses import excess

QUICK = "GNOMON_BENCH_QUICK"
"""Set, it takes the months that policies were developed on, in a third of the time."""

_GROUP = "training"
_HERE = Path(__file__).parent
_TIMEOUT_S = 1800.0
_SAVING = 2.5
_ROUNDING = 1e-6
"""Losses of the same trees, summed in another order."""
_BUSY = 0.5
"""Processes that others run on average, above which the time on the wall says nothing of us."""

_SCRIPTS = {"ours": "ours", "HalvingGridSearchCV": "halving", "FLAML": "flaml_search", "AutoGluon": "autogluon_search"}
"""Under which name each search leaves its answers."""

_PEERS: Mapping[str, Sequence[str]] = {
    "flaml": ("flaml==2.7.0", "lightgbm==4.7.0", "xgboost-cpu", "scikit-learn==1.7.2", "pandas<3"),
    "autogluon": ("autogluon.tabular[lightgbm]==1.6.3", "xgboost-cpu"),
}


@dataclass(frozen=True)
class _Searched:
    """What a search used, and what it said."""

    cpu_s: float
    wall_s: float
    told: Mapping[str, Any]

    @property
    def words(self) -> str:
        """How well it did on the months that judge."""
        return f"{self.told['log_loss']:.4f} (area {self.told['area']:.4f}, {self.told['winner']}, {self.cpu_s:.0f} s)"


def measure(workdir: Path) -> list[Row]:
    """Measure everything; some twelve minutes of one processor once the peers are installed in ``workdir/venvs``."""
    return [*_search_rows(workdir.resolve()), *network_rows()]


def _search_rows(workdir: Path) -> list[Row]:
    folder = workdir / _GROUP
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    months = "quick" if os.environ.get(QUICK) else "whole"
    try:
        _run(Path(sys.executable), _HERE / "prepare.py", folder, str(folder), months)
        others_run = os.getloadavg()[0]
        ours = _ours(folder)
        holdout = _run(Path(sys.executable), _HERE / "peers" / "holdout.py", folder)
        others, missing = _others(workdir, folder, ours.cpu_s)
    except (CommandFailedError, PeerUnavailableError) as error:
        return [Row(_GROUP, "48 candidates on flights: CPU", None, None, None, "s", None, f"≥ {_SAVING:g} x", None, str(error))]
    actual = np.load(folder / "judged.npy")
    return [
        _cpu_row(ours, holdout, months),
        _wall_row(ours, others_run),
        _months_row(ours, holdout, others, missing, months, lambda name: _row_losses(folder, name, actual)),
    ]


def _ours(folder: Path) -> _Searched:
    searched = _run(Path(sys.executable), _HERE / "ours.py", folder)
    actual, answers = np.load(folder / "judged.npy"), np.load(folder / "ours.npy")
    told = {**searched.told, "log_loss": log_loss(actual, answers), "area": area(actual, answers)}
    return _Searched(searched.cpu_s, searched.wall_s, told)


def _others(workdir: Path, folder: Path, cpu_s: float) -> tuple[dict[str, _Searched], list[str]]:
    """Return what the other searches came to, at about as much processor time, and why those that are missing are."""
    done, missing = {"HalvingGridSearchCV": _run(Path(sys.executable), _HERE / "peers" / "halving.py", folder)}, []
    for name, shown in (("flaml", "FLAML"), ("autogluon", "AutoGluon")):
        try:
            python = environment(workdir, name, _PEERS[name]) / "python"
            script = _HERE / "peers" / f"{name}_search.py"
            done[shown] = _run(python, script, folder, f"{cpu_s:.0f}")
        except (PeerUnavailableError, CommandFailedError) as error:
            missing.append(f"{shown}: {error}")
    return done, missing


def _run(python: Path, script: Path, folder: Path, *arguments: str) -> _Searched:
    variables = {
        **clean_environment(),
        "PYTHONPATH": os.pathsep.join((str(_HERE.parent.parent), str(script.parent))),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    used = used_by([str(python), str(script), *arguments], folder, variables, _TIMEOUT_S)
    lines = [json.loads(line) for line in used.output.splitlines() if line.startswith("{")]
    return _Searched(used.cpu_s, used.wall_s, lines[-1] if lines else {})


def _cpu_row(ours: _Searched, holdout: _Searched, months: str) -> Row:
    """Return the row of what the winner costs: in full means on all rows, with every round, without our export."""
    mine, theirs = ours.told["winner"], holdout.told["winner"]
    my_loss, their_loss = ours.told["validation"][mine], holdout.told["validation"][theirs]
    ratio = holdout.cpu_s / ours.cpu_s
    as_good = my_loss <= their_loss + _ROUNDING
    note = (
        f"winner {mine} ({my_loss:.4f} on the months that choose), of all in full {theirs} ({their_loss:.4f}); "
        f"ours with processes, refit and export; rungs of {', '.join(map(str, ours.told['rungs']))}{_shown(months)}"
    )
    budget = "48 candidates on flights, forward in time: CPU against every candidate fitted in full with one hold-out"
    goal = f"≥ {_SAVING:g} x, same winner or better"
    return Row(_GROUP, budget, ours.cpu_s, holdout.cpu_s, None, "s", ratio, goal, ratio >= _SAVING and as_good, note)


def _row_losses(folder: Path, name: str, actual: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the log loss of each row that judges, of the answers that a search left."""
    second = np.load(folder / f"{_SCRIPTS[name]}.npy")
    share = np.clip(np.where(actual == 1, second, 1 - second), 1e-7, 1)
    return np.asarray(-np.log(share), dtype=np.float32)


def _wall_row(ours: _Searched, others_run: float) -> Row:
    steps = ours.told["steps_cpu_s"]
    note = f"search {ours.told['searched_s']:.0f} s, then refit and export; the limit is all steps' CPU over two slots"
    budget = "48 candidates on flights, 2 slots: wall, from the snapshot to the exported winner"
    wall_s, limit = ours.told["wall_s"], steps / 2
    busy = others_run > _BUSY
    told = f"{note}; others ran {others_run:.1f} processes when it began" if busy else note
    holds = None if busy and wall_s / limit > 1.5 else wall_s / limit <= 1.5
    return Row(_GROUP, budget, wall_s, None, limit, "s", wall_s / limit, "≤ 1.5 x", holds, told)


def _months_row(
    ours: _Searched,
    holdout: _Searched,
    others: Mapping[str, _Searched],
    missing: Sequence[str],
    months: str,
    row_losses: Callable[[str], NDArray[np.float32]],
) -> Row:
    """Return the row of how the winners do on the months that nobody saw; it is open where a search is missing."""
    name = min(others, key=lambda each: others[each].told["log_loss"])
    mine, theirs = ours.told["log_loss"], others[name].told["log_loss"]
    more, error = excess(row_losses("ours"), row_losses(name))
    told = [f"{each} {searched.words}" for each, searched in {"ours": ours, **others, "in full": holdout}.items()]
    told.append(f"ours exceeds {name} by {more:+.4f}, standard error {error:.4f} over blocks of neighbouring rows")
    budget = "48 candidates on flights: log loss on unseen months, against the best of the others at equal CPU"
    holds = None if missing else mine <= theirs
    note = "; ".join([*told, *missing]) + _shown(months)
    return Row(_GROUP, budget, mine, theirs, None, "", mine / theirs, "≤ 1 x", holds, note)


def _shown(months: str) -> str:
    return "; a quick look, on months that policies were developed on" if months == "quick" else ""
