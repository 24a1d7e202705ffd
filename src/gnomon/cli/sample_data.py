"""Synthetic tables for new repositories. They look like the real thing, and are the same bytes on every machine.

Only ``random.random()`` and plain arithmetic are used: both are exact everywhere, which sines and logarithms are not.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

_HOURS = 24 * 120
_SUBSCRIBERS = 3000
_FIRST_HOUR = datetime(2025, 3, 1, tzinfo=UTC)

# Share of a day's rides in each hour: commuters on working days, strollers on weekends.
_WORKDAY = (2, 1, 1, 1, 2, 6, 18, 40, 52, 28, 18, 20, 24, 22, 21, 26, 42, 58, 46, 30, 20, 14, 9, 5)
_WEEKEND = (6, 4, 3, 2, 1, 1, 3, 6, 12, 22, 32, 40, 44, 46, 45, 42, 38, 34, 28, 22, 17, 14, 12, 9)
_WEATHER = (("clear", 1.0), ("cloudy", 0.85), ("rain", 0.45))
_HOLIDAYS = frozenset({(4, 21), (5, 1), (5, 29), (6, 9)})


def bike_rides() -> str:
    """Return a CSV of hourly bicycle rides: hour, temperature, humidity, wind, weather, holiday, rides."""
    return "".join(f"{','.join(row)}\n" for row in _ride_rows(Random(20250301)))  # noqa: S311 - data, not secrets


def _ride_rows(random: Random) -> Iterator[tuple[str, ...]]:
    yield "hour", "temperature", "humidity", "wind", "weather", "holiday", "rides"
    day_temperature, weather = 6.0, 0
    for number in range(_HOURS):
        hour = _FIRST_HOUR + timedelta(hours=number)
        season = 6 + 16 * number / _HOURS
        if hour.hour == 0:
            day_temperature += 0.3 * (season - day_temperature) + 4 * (random.random() - 0.5)
        if random.random() < 0.15:
            weather = min(2, max(0, weather + (1 if random.random() < 0.5 else -1)))
        temperature = day_temperature + 4 - abs(hour.hour - 15) * 0.7 + _noise(random)
        humidity = min(100.0, max(20.0, 62 - temperature + 14 * weather + 6 * _noise(random)))
        wind = max(0.0, 12 + 5 * weather + 5 * _noise(random))
        is_holiday = (hour.month, hour.day) in _HOLIDAYS
        profile = _WEEKEND if hour.weekday() >= 5 or is_holiday else _WORKDAY
        comfort = min(1.25, max(0.3, 0.45 + temperature / 30)) * (1 - wind / 120)
        rides = max(0, round(5.5 * profile[hour.hour] * comfort * _WEATHER[weather][1] * (1 + 0.12 * _noise(random))))
        yield (
            hour.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"{temperature:.1f}",
            f"{humidity:.0f}",
            f"{wind:.1f}",
            _WEATHER[weather][0],
            "true" if is_holiday else "false",
            str(rides),
        )


def subscriptions() -> str:
    """Return a CSV of subscribers: plan, months, support calls, price, use, payment, and whether they left."""
    return "".join(f"{','.join(row)}\n" for row in _subscription_rows(Random(20250601)))  # noqa: S311 - data, not secrets


def _subscription_rows(random: Random) -> Iterator[tuple[str, ...]]:
    yield "plan", "payment", "months", "price", "used_gb", "support_calls", "outcome"
    plans = (("basic", 12.0), ("standard", 24.0), ("premium", 39.0))
    for _ in range(_SUBSCRIBERS):
        plan = min(2, int(3.4 * random.random()))
        by_card = random.random() < 0.6
        months = 1 + int(60 * random.random() * random.random())
        price = plans[plan][1] + 6 * (random.random() - 0.5)
        used = max(0.0, (8 + 22 * plan) * random.random() + 4 * _noise(random))
        calls = sum(random.random() < 0.18 for _ in range(8))
        regret = price / (4 + used)
        push = 0.9 * calls + 0.35 * regret - 0.06 * months - (0.5 if by_card else 0.0) - 0.7 + 0.8 * _noise(random)
        left = push > 0.4
        missing = random.random() < 0.03
        yield (
            plans[plan][0],
            "card" if by_card else "invoice",
            str(months),
            f"{price:.2f}",
            "" if missing else f"{used:.1f}",
            str(calls),
            "left" if left else "stayed",
        )


def _noise(random: Random) -> float:
    """Return a draw of roughly the standard normal distribution: the sum of twelve uniform ones (Irwin and Hall, 1927)."""
    return sum(random.random() for _ in range(12)) - 6


SAMPLE_FILES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "regression": ("data/rides.csv", bike_rides),
    "classification": ("data/subscriptions.csv", subscriptions),
}
"""For each template: where its data go, and what writes them."""
