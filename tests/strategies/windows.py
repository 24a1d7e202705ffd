"""Windows of every shape that may be declared, and moments to look at them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from gnomon.data.windows import Windows
from gnomon.resources.quantities import Months

hours = st.integers(1, 24 * 40).map(lambda count: timedelta(hours=count))
months = st.integers(1, 30).map(Months)
moments = st.integers(0, 60 * 365 * 24 * 3600).map(lambda s: datetime(1980, 1, 1, tzinfo=UTC) + timedelta(seconds=s))
midnights = st.tuples(st.integers(1990, 2020), st.integers(1, 12), st.integers(1, 28)).map(
    lambda date: datetime(*date, tzinfo=UTC)
)
fixed_windows = st.builds(Windows, hours, hours, st.none() | moments)
calendar_windows = st.builds(Windows, months | hours, months, st.none() | midnights)
all_windows = fixed_windows | calendar_windows
