from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from gnomon.training.neural_network.activations import Array
from gnomon.training.neural_network.learning import Course, DivergedError, Examples, answers_of, best_epochs, learnt
from gnomon.training.neural_network.network import Architecture
from gnomon.training.neural_network.optimisers import AdamSteps, MomentumSteps, Optimiser
from gnomon.training.neural_network.schedules import WARM_UP, Schedule, rate_at

COURSE = Course(epochs=40, batch_size=64, learning_rate=0.01, optimiser="adam", momentum=0.9, schedule="one-cycle", seed=1)
LINE = Architecture((1, 1), "relu", "identity", "squared_error")


def _line(rows: int, slope: float = 2.0) -> Examples:
    features = np.linspace(-1, 1, rows, dtype=np.float32)[:, np.newaxis]
    return Examples(features, slope * features + 1)


@pytest.mark.parametrize(("optimiser", "schedule"), [("adam", "constant"), ("sgd", "one-cycle"), ("sgd", "constant")])
def test_a_line_is_learnt_to_the_digit(optimiser: Optimiser, schedule: Schedule) -> None:
    course = replace(COURSE, epochs=200, batch_size=10, learning_rate=0.05, optimiser=optimiser, schedule=schedule)
    network = learnt(LINE, course, _line(50))
    (layer,) = network.parameters.layers
    assert layer.weights.item() == pytest.approx(2, abs=1e-3)
    assert layer.biases.item() == pytest.approx(1, abs=1e-3)


def test_the_least_absolute_error_is_the_median() -> None:
    targets = np.array([0, 0, 0, 1, 100], np.float32)[:, np.newaxis]
    features = np.zeros((5, 1), np.float32)
    course = replace(COURSE, epochs=2000, batch_size=5, learning_rate=0.01)
    median = learnt(replace(LINE, loss="absolute_error"), course, Examples(features, targets))
    assert median.parameters.layers[0].biases.item() == pytest.approx(0, abs=0.02)


def test_the_same_seed_learns_the_same_bits_and_another_seed_others() -> None:
    def flat(seed: int) -> bytes:
        return learnt(
            replace(LINE, sizes=(1, 8, 1)), replace(COURSE, epochs=3, seed=seed), _line(100)
        ).parameters.flat.tobytes()

    assert flat(1) == flat(1)
    assert flat(1) != flat(2)


def test_every_row_is_learnt_though_batches_do_not_divide_them() -> None:
    # The one row that shows the second feature is in the last, smaller batch of some epochs.
    features = np.zeros((33, 2), np.float32)
    features[:, 0], features[5] = 1, (0, 1)
    targets = np.where(np.arange(33) == 5, 7.0, 1.0).astype(np.float32)[:, np.newaxis]
    course = replace(COURSE, epochs=3000, batch_size=8, learning_rate=0.05)
    network = learnt(replace(LINE, sizes=(2, 1)), course, Examples(features, targets))
    np.testing.assert_allclose(answers_of(network, features), targets, atol=0.05)


def test_rows_that_weigh_nothing_teach_nothing() -> None:
    examples = _line(40)
    heavy = np.arange(40) % 2 == 0
    doubtful = replace(
        examples, targets=np.where(heavy[:, np.newaxis], examples.targets, -9), weights=2 * heavy.astype(np.float32)
    )
    network = learnt(LINE, replace(COURSE, epochs=400, learning_rate=0.05), doubtful)
    np.testing.assert_allclose(answers_of(network, examples.features), examples.targets, atol=0.01)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_penalty_makes_weights_small_and_the_one_on_magnitudes_makes_idle_ones_zero(l1_ratio: float) -> None:
    draw = np.random.default_rng(0)
    features = draw.normal(size=(200, 5)).astype(np.float32)
    examples = Examples(features, 3 * features[:, :1])
    architecture = replace(LINE, sizes=(5, 1), alpha=0.5, l1_ratio=l1_ratio)
    course = replace(COURSE, epochs=200, learning_rate=0.02)
    weights = learnt(architecture, course, examples).parameters.layers[0].weights[:, 0]
    # For one standardised feature: 3 - alpha for magnitudes, 3 / (1 + alpha) for squares.
    assert weights[0] == pytest.approx(2.5 if l1_ratio else 2.0, abs=0.2)
    assert (np.abs(weights[1:]) < (0.01 if l1_ratio else 0.3)).all()


def test_watched_rows_stop_before_the_noise_is_learnt_by_heart() -> None:
    draw = np.random.default_rng(0)

    def noisy(rows: int) -> Examples:
        features = draw.normal(size=(rows, 10)).astype(np.float32)
        return Examples(features, features[:, :1] + draw.normal(size=(rows, 1)).astype(np.float32))

    examples, watched, unseen = noisy(60), noisy(300), noisy(1000)
    architecture, course = replace(LINE, sizes=(10, 64, 1)), replace(COURSE, epochs=200, schedule="constant")
    epochs = best_epochs(architecture, course, examples, watched, 5)
    assert epochs < 50
    stopped, whole = (learnt(architecture, course, examples, stop) for stop in (epochs, None))
    errors = [float(np.square(answers_of(network, unseen.features) - unseen.targets).mean()) for network in (stopped, whole)]
    assert errors[0] < 0.9 * errors[1]


def test_steps_that_are_too_large_are_told() -> None:
    with pytest.raises(DivergedError, match="lower learning_rate"):
        learnt(replace(LINE, sizes=(1, 8, 1)), replace(COURSE, optimiser="sgd", learning_rate=1e6, epochs=400), _line(50))


def test_the_first_step_of_adam_is_the_rate_whatever_the_size_of_the_gradient() -> None:
    for size in (1e-3, 1.0, 1e3):
        parameters = np.zeros(2)
        AdamSteps(parameters).step(parameters, np.array([size, -size]), 0.1)
        np.testing.assert_allclose(parameters, [-0.1, 0.1], rtol=1e-4)


def test_adam_is_the_algorithm_of_its_paper() -> None:
    draw = np.random.default_rng(0)
    parameters, expected = np.ones(4), np.ones(4)
    steps, first, second = AdamSteps(parameters), np.zeros(4), np.zeros(4)
    for count in range(1, 80):
        gradient = draw.normal(size=4)
        steps.step(parameters, gradient, 0.01)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        expected -= 0.01 * (first / (1 - 0.9**count)) / (np.sqrt(second / (1 - 0.999**count)) + 1e-8)
    np.testing.assert_allclose(parameters, expected, rtol=1e-6)


def test_momentum_adds_up_gradients() -> None:
    parameters = np.zeros(1)
    steps = MomentumSteps(parameters, 0.5)
    for _ in range(2):
        steps.step(parameters, np.ones(1), 0.1)
    assert parameters.item() == pytest.approx(-0.1 - 0.15)


@pytest.mark.parametrize("start", [1.0, 1e-13])
def test_what_fades_becomes_zero_and_not_a_number_that_is_slow_to_compute(start: float) -> None:
    for steps_class in (AdamSteps, lambda parameters: MomentumSteps(parameters, 0.9)):
        parameters = np.full(1, start, np.float32)
        steps = steps_class(parameters)
        for count in range(3000):
            steps.step(parameters, np.zeros(1, np.float32) if count else np.full(1, start, np.float32), 1e-3)
        remembered = [value for value in vars(steps).values() if isinstance(value, np.ndarray)]
        for value in (parameters, *remembered):
            assert not ((value != 0) & (np.abs(value) < np.finfo(np.float32).tiny)).any()


def test_one_cycle_rises_to_its_highest_rate_and_ends_at_nothing() -> None:
    assert rate_at("one-cycle", 0.2, WARM_UP) == pytest.approx(0.2)
    assert rate_at("one-cycle", 0.2, WARM_UP / 2) == pytest.approx(0.1)
    assert rate_at("one-cycle", 0.2, 1) == 0
    assert rate_at("constant", 0.2, 0.01) == rate_at("constant", 0.2, 1) == 0.2


def _digits() -> tuple[Examples, Array, Array]:
    features, classes = load_digits(return_X_y=True)
    scaled = (features / 16).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(scaled))
    learning, held_out = order[:1437], order[1437:]
    return Examples(scaled[learning], classes[learning]), scaled[held_out], classes[held_out]


def test_digits_are_read_with_97_percent_accuracy() -> None:
    examples, features, classes = _digits()
    network = learnt(Architecture((64, 128, 10), "relu", "softmax", "cross_entropy", alpha=0.003), COURSE, examples)
    assert (answers_of(network, features).argmax(axis=1) == classes).mean() >= 0.97


def test_the_plain_form_of_the_textbooks_learns_too_but_slowly() -> None:
    """Sigmoid, squared error, full batches, constant rate: what everybody meets first."""
    examples, features, classes = _digits()
    course = replace(COURSE, epochs=60, batch_size=2000, optimiser="sgd", momentum=0.0, learning_rate=2.0, schedule="constant")
    network = learnt(Architecture((64, 64, 10), "sigmoid", "softmax", "squared_error"), course, examples)
    accuracy = (answers_of(network, features).argmax(axis=1) == classes).mean()
    assert 0.3 < accuracy < 0.95
