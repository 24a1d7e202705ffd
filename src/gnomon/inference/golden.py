"""Golden rows: inputs with expected outputs that every replica replays on its own runtime before it is ready."""

import msgspec


class GoldenRows(msgspec.Struct, frozen=True, rename="camel"):
    """Up to 64 rows with edge cases: missing values, an unknown level, extremes.

    ``columns`` are raw values by column name, as a JSON request would carry them:
    null where missing, timestamps as int64 microseconds.
    ``prediction`` holds the expected answers in row order, ``probabilities`` the expected rows where there are any, and
    ``outputs`` what the model gives besides, by name.
    A number agrees when ``|got - expected| <= atol + rtol * |expected|``; class names agree when they are equal.
    """

    columns: dict[str, list[float | int | bool | str | None]]
    prediction: list[float | str | list[float]]
    probabilities: list[list[float]] = []
    outputs: dict[str, list[float | list[float]]] = {}
    atol: float = 1e-5
    rtol: float = 1e-4
