"""The plain Python that every engine runs: a chain of steps whose helper lies two imports away, and 24 real fits."""

from pathlib import Path
from typing import Literal

Variant = Literal["as it was", "helper", "comment", "first contact"]

FITS = 24

_ARITHMETIC = """
def plus(left, right):
    return left + right{helper}
"""
_HELPERS = '''
import os

import arithmetic


def ran(name):
    """Note a real execution: one line in the file EXEC_LOG."""
    descriptor = os.open(os.environ["EXEC_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (name + "\\n").encode())
    os.close(descriptor)


def increased(value, number):
    return arithmetic.plus(value, number)
'''
_STEP = """

def s{number:03d}(v: int) -> int:{comment}
    helpers.ran("s{number:03d}")
    return helpers.increased(v, {number}){extra}
"""
_FITS = """
def model(i):
    kind, j = divmod(i, 4)
    if kind in (0, 3):
        import lightgbm as lgb
        return lgb.LGBMClassifier(n_estimators=120 + 20 * j, num_leaves=15 + 8 * kind, n_jobs=1, verbose=-1, random_state=i)
    if kind in (1, 4):
        from sklearn.ensemble import RandomForestClassifier
        return RandomForestClassifier(n_estimators=12 + 2 * j, max_depth=8 + kind, n_jobs=1, random_state=i)
    if kind == 2:
        from sklearn.linear_model import LogisticRegression
        return LogisticRegression(C=10.0 ** (j - 2), max_iter=400)
    from sklearn.ensemble import ExtraTreesClassifier
    return ExtraTreesClassifier(n_estimators=30 + 5 * j, max_depth=12, n_jobs=1, random_state=i)


def fit(i, x, y):
    from sklearn.metrics import roc_auc_score
    split = len(y) * 3 // 4
    fitted = model(i).fit(x[:split], y[:split])
    return float(roc_auc_score(y[split:], fitted.predict_proba(x[split:])[:, 1]))


def best(scores):
    return max(scores)
"""


def write_chain(folder: Path, length: int, variant: Variant = "as it was") -> None:
    """Write the chain into ``folder``: its value is the sum of 0 to ``length - 1``, and ``length`` more with ``helper``.

    ``first contact`` has other code in every step: an engine makes its database and its home with it, unmeasured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "arithmetic.py").write_text(_ARITHMETIC.format(helper=" + 1" if variant == "helper" else ""))
    (folder / "helpers.py").write_text(_HELPERS)
    middle = length // 2
    steps = "".join(
        _STEP.format(
            number=number,
            comment="  # a remark" if variant == "comment" and number == middle else "",
            extra=" + 0" if variant == "first contact" else "",
        )
        for number in range(length)
    )
    chain = ", ".join(f"s{number:03d}" for number in range(length))
    (folder / "steps.py").write_text(f"import helpers\n{steps}\n\nCHAIN = [{chain}]\n")


def write_fits(folder: Path) -> None:
    """Write the fits and their data: 12,000 rows of 24 numbers, two classes."""
    import numpy as np  # noqa: PLC0415 - the chain does without

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fits.py").write_text(_FITS)
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(12_000, 24)).astype("float32")
    signal = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.5 * x[:, 3] - 0.3 * x[:, 4] * x[:, 5]
    y = (signal + drawn.normal(scale=0.7, size=len(x)) > 0).astype("int8")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
