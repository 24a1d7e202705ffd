"""One fit of a neural network, in a process of its own: ``network_fit.py ENGINE DATA SEED`` prints one line of JSON."""

import gzip
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts it."""


@dataclass(frozen=True)
class Task:
    """Rows to learn and rows to judge by, and the network for both engines."""

    features: NDArray[np.float32]
    classes: NDArray[np.int64]
    unseen_features: NDArray[np.float32]
    unseen_classes: NDArray[np.int64]
    hidden: tuple[int, ...]
    batch_size: int
    our_epochs: int
    their_epochs: int


def digits() -> Task:
    """Return scikit-learn's digits: 1437 rows to learn; theirs stops by its own rule."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - Fashion-MNIST does without

    features, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(features))
    scaled = (features[order] / 16).astype(np.float32)
    classes = classes[order].astype(np.int64)
    return Task(scaled[:1437], classes[:1437], scaled[1437:], classes[1437:], (128,), 64, 40, 200)


def fashion_mnist() -> Task:
    """Return Fashion-MNIST: 60,000 pictures to learn, 10,000 to judge by."""

    def rows(name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        pictures = gzip.decompress((FASHION_MNIST / f"{name}-images-idx3-ubyte.gz").read_bytes())
        labels = gzip.decompress((FASHION_MNIST / f"{name}-labels-idx1-ubyte.gz").read_bytes())
        pixels = np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 784)
        return pixels.astype(np.float32) / np.float32(255), np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)

    return Task(*rows("train"), *rows("t10k"), (256, 128), 256, 5, 8)


def _ours(task: Task, seed: int) -> Any:
    from gnomon.training.neural_network.learning import Course, Examples, answers_of, learnt  # noqa: PLC0415 - one engine each
    from gnomon.training.neural_network.network import Architecture  # noqa: PLC0415

    sizes = (task.features.shape[1], *task.hidden, 10)
    course = Course(
        task.our_epochs, task.batch_size, 0.01 if len(task.features) < 10_000 else 0.002, "adam", 0.9, "one-cycle", seed
    )
    network = learnt(
        Architecture(sizes, "relu", "softmax", "cross_entropy", 1e-4), course, Examples(task.features, task.classes)
    )
    return lambda features: answers_of(network, features).argmax(axis=1)


def _scikit_learn(task: Task, seed: int) -> Any:
    import warnings  # noqa: PLC0415

    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    warnings.simplefilter("ignore")  # told by the accuracy
    network = MLPClassifier(task.hidden, batch_size=task.batch_size, max_iter=task.their_epochs, random_state=seed)
    return network.fit(task.features, task.classes).predict


def main() -> None:
    """Fit, and tell the processor seconds of the fit alone and the accuracy on unseen rows."""
    engine, data, seed = sys.argv[1:]
    task = {"digits": digits, "fashion-mnist": fashion_mnist}[data]()
    fit = {"ours": _ours, "scikit-learn": _scikit_learn}[engine]
    few = replace(task, features=task.features[:64], classes=task.classes[:64], batch_size=64, our_epochs=1, their_epochs=1)
    fit(few, 0)  # imports, and the first touch of the library
    began = time.process_time()
    predict = fit(task, int(seed))
    cpu_s = time.process_time() - began
    accuracy = float((predict(task.unseen_features) == task.unseen_classes).mean())
    print(json.dumps({"cpu_s": cpu_s, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
