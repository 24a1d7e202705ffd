import pytest

from gnomon.errors import GoldenRowsError
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Predictor
from tests.artifacts import CLASSIFICATION, REGRESSION, classification_model, regression_model

COLUMNS: dict[str, list[float | int | bool | str | None]] = {"x": [1.0, 2.0], "count": [None, 5]}
CLASSES: dict[str, list[float | int | bool | str | None]] = {"late": [True, False], "at": [None, 0], "city": [None, "x"]}
PROBABILITIES = [[0.1, 0.9], [0.8, 0.2]]


def _regress(*prediction: float | str, atol: float = 1e-5) -> None:
    replay(Predictor(regression_model(2.0), REGRESSION), GoldenRows(COLUMNS, list(prediction), atol=atol))


def _classify(prediction: list[float | str | list[float]], probabilities: list[list[float]]) -> None:
    replay(Predictor(classification_model(), CLASSIFICATION), GoldenRows(CLASSES, prediction, probabilities))


def test_rows_within_the_tolerance_agree() -> None:
    _regress(2.0, 4.0)
    _regress(2.0, 4.0003)
    _regress(2.5, 4.0, atol=0.5)
    _classify(["yes", "no"], PROBABILITIES)


def test_the_error_tells_the_worst_row_and_the_distance() -> None:
    with pytest.raises(GoldenRowsError) as caught:
        _regress(2.1, 5.0)
    assert "2 of 2 golden rows differ in prediction; row 1 is 4 instead of 5, 1 apart" in caught.value.cause


def test_probabilities_are_compared_too() -> None:
    with pytest.raises(GoldenRowsError, match=r"1 of 2 golden rows differ in probabilities; row 1"):
        _classify(["yes", "no"], [[0.1, 0.9], [0.7, 0.3]])


def test_class_names_must_be_equal() -> None:
    with pytest.raises(GoldenRowsError, match=r"1 of 2 golden rows differ in prediction; row 0 is 'yes' instead of 'no'"):
        _classify(["no", "no"], PROBABILITIES)


def test_names_where_numbers_come_and_numbers_where_names_come_differ() -> None:
    with pytest.raises(GoldenRowsError, match="2 of 2"):
        _regress("2.0", "4.0")
    with pytest.raises(GoldenRowsError, match="2 of 2"):
        _classify([1.0, 0.0], PROBABILITIES)


def test_another_number_of_rows_is_refused() -> None:
    with pytest.raises(GoldenRowsError, match=r"has shape \[2\], the golden rows \[1\]"):
        _regress(2.0)


def test_probabilities_of_a_regression_are_refused() -> None:
    with pytest.raises(GoldenRowsError, match="probabilities, which the model does not give"):
        replay(Predictor(regression_model(2.0), REGRESSION), GoldenRows(COLUMNS, [2.0, 4.0], PROBABILITIES))


def test_rows_that_do_not_fit_the_signature_are_refused() -> None:
    with pytest.raises(GoldenRowsError, match="do not fit the signature: column 'count' is missing"):
        replay(Predictor(regression_model(2.0), REGRESSION), GoldenRows({"x": [1.0]}, [2.0]))
