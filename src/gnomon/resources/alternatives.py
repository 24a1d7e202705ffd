"""What stands nearest to an algorithm that a task or this program does not have.

Only what becomes an ONNX graph that answers like the fitted model is an algorithm here. Of many well-known others there is no
such graph, or a converter is silently wrong about them: people who write one of these are told what to write instead.
"""

from collections.abc import Mapping

from gnomon.resources.learning import ALGORITHMS_BY_TASK, Algorithm, Task

_NEAREST: Mapping[str, tuple[Algorithm, ...]] = {
    "linear": ("logistic",),
    "ridge": ("logistic",),
    "lasso": ("logistic",),
    "elastic-net": ("logistic",),
    "logistic": ("ridge",),
    "naive-bayes": ("ridge",),
    "k-means": ("gaussian-mixture", "nearest-neighbors"),
    "gaussian-mixture": ("k-means", "naive-bayes", "nearest-neighbors"),
    "kernel-density": ("gaussian-mixture", "nearest-neighbors"),
    "pca": ("k-means", "gaussian-mixture", "logistic", "ridge"),
    "isolation-forest": ("gaussian-mixture", "random-forest"),
}
"""By algorithm: what is nearest to it among those of other tasks, the nearest first."""

_FIRST: Mapping[Task, Algorithm] = {
    "clustering": "k-means",
    "density": "gaussian-mixture",
    "reduction": "pca",
    "anomaly": "isolation-forest",
}
"""What does a task that nothing like the algorithm does."""


def alternative(algorithm: Algorithm, task: Task) -> Algorithm:
    """Return the algorithm for ``task`` that is nearest to one that does not do it."""
    fitting = ALGORITHMS_BY_TASK[task]
    near = [name for name in _NEAREST.get(algorithm, ()) if name in fitting]
    return near[0] if near else _FIRST.get(task, fitting[0])


_NO_GRAPH = "has no exact ONNX graph"
_PAIRS = "needs every pair of rows, and answers no new one"
_WRONG = "comes out of converters with other answers than its own"

UNEXPORTED: Mapping[str, tuple[Algorithm, str]] = {
    "gaussian-process": ("svm", "keeps every row and a matrix of all pairs"),
    "kernel-ridge": ("svm", "keeps every row"),
    "lda": ("logistic", _WRONG),
    "linear-discriminant-analysis": ("logistic", _WRONG),
    "qda": ("naive-bayes", _NO_GRAPH),
    "quadratic-discriminant-analysis": ("naive-bayes", _NO_GRAPH),
    "sgd": ("linear-svm", "stops at another answer for every order of the rows"),
    "huber": ("lightgbm", "is a loss here: objective: huber"),
    "gradient-boosting": ("hist-gradient-boosting", "is the slow form of it"),
    "adaboost": ("hist-gradient-boosting", _NO_GRAPH),
    "bagging": ("random-forest", _NO_GRAPH),
    "stacking": ("lightgbm", "drifts between its layers"),
    "voting": ("random-forest", _NO_GRAPH),
    "catboost": ("lightgbm", _NO_GRAPH),
    "dbscan": ("k-means", _PAIRS),
    "hdbscan": ("k-means", _PAIRS),
    "agglomerative": ("k-means", _PAIRS),
    "spectral-clustering": ("k-means", _PAIRS),
    "mean-shift": ("k-means", _NO_GRAPH),
    "birch": ("k-means", _NO_GRAPH),
    "t-sne": ("pca", _PAIRS),
    "umap": ("pca", _NO_GRAPH),
    "isomap": ("pca", _NO_GRAPH),
    "fast-ica": ("pca", _NO_GRAPH),
    "one-class-svm": ("isolation-forest", _NO_GRAPH),
    "local-outlier-factor": ("isolation-forest", "keeps every row"),
    "elliptic-envelope": ("gaussian-mixture", "is a mixture of one"),
    "arima": ("ridge", "answers from its own past, not from a request; forecasts here learn from lags"),
    "prophet": ("ridge", "is no function of a row; forecasts here learn from lags"),
}
"""Well-known algorithms that are refused: what to write instead, and why, to follow the algorithm's name."""

OTHER_NAMES: Mapping[str, Algorithm] = {
    "cart": "decision-tree",
    "gbm": "lightgbm",
    "gmm": "gaussian-mixture",
    "hgb": "hist-gradient-boosting",
    "kde": "kernel-density",
    "knn": "nearest-neighbors",
    "k-nearest-neighbors": "nearest-neighbors",
    "linear-svc": "linear-svm",
    "linear-svr": "linear-svm",
    "mlp": "neural-network",
    "ols": "linear",
    "svc": "svm",
    "svr": "svm",
}
"""Names that libraries and people give to algorithms that there are."""
