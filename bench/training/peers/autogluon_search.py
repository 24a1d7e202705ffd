"""``autogluon_search.py SECONDS``: AutoGluon's boosters and forests, with its processor time as its budget."""

import shutil
import sys

import pandas as pd
from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]  # its own environment
from cpu_clock import count_cpu  # type: ignore[import-not-found]  # beside it
from matrices import FOLDER, features, rows, target, tell  # type: ignore[import-not-found]  # beside it


def main() -> None:
    """Search."""
    trees, actual = features("trees"), target()

    def frame(part: str) -> pd.DataFrame:
        made = pd.DataFrame(trees[rows(part)], columns=[f"f{number}" for number in range(trees.shape[1])])
        return made.assign(y=actual[rows(part)])

    train, validation, judged = (frame(part) for part in ("train", "validation", "test"))
    count_cpu()
    folder = FOLDER / "autogluon"
    shutil.rmtree(folder, ignore_errors=True)
    search = TabularPredictor("y", eval_metric="log_loss", path=str(folder), verbosity=0).fit(
        train,
        tuning_data=validation,
        time_limit=float(sys.argv[1]),
        hyperparameters={
            "GBM": [{}, {"extra_trees": True}, {"learning_rate": 0.03, "num_leaves": 128, "feature_fraction": 0.9}],
            "XGB": {},
            "RF": {},
            "XT": {},
        },
        num_cpus=1,
        num_gpus=0,
        dynamic_stacking=False,
        fit_strategy="sequential",
    )
    second = search.predict_proba(judged.drop(columns="y")).iloc[:, 1].to_numpy()
    tell(second, winner=str(search.model_best))


if __name__ == "__main__":
    main()
