"""Rows for whole-loop tests: small, seeded, with strings, missing values, booleans and timestamps."""

import csv
import io
import math
import random
from datetime import UTC, datetime, timedelta


def rides_csv(rows: int, seed: int = 1, shift: float = 0.0) -> bytes:
    """Return ``rows`` bicycle rides as CSV; ``minutes`` follows from the other columns, with noise and an offset ``shift``."""
    source = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["started_at", "city", "member", "temperature", "distance", "minutes", "late"])
    start = datetime(2025, 3, 1, tzinfo=UTC)
    for n in range(rows):
        at = start + timedelta(minutes=11 * n)
        city = source.choice(["Ghent", "Bruges", "Liège", "Namur"])
        member = source.random() < 0.6
        temperature = 12 + 8 * math.sin(at.hour / 24 * 2 * math.pi) + source.gauss(0, 2)
        distance = source.uniform(0.5, 12)
        slow = {"Ghent": 1.0, "Bruges": 1.2, "Liège": 1.5, "Namur": 1.4}[city]
        minutes = shift + 3 * distance * slow - 2 * member + 0.1 * (15 - temperature) + source.gauss(0, 1)
        writer.writerow(
            [
                at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                city if source.random() > 0.03 else "",
                str(member).lower(),
                f"{temperature:.2f}" if source.random() > 0.05 else "",
                f"{distance:.3f}",
                f"{minutes:.3f}",
                "yes" if minutes > 25 else "no",
            ]
        )
    return text.getvalue().encode()
