from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.live import Live


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A remote and a person; the test starts the operator, and all of it is stopped afterwards."""
    alive = Live(tmp_path)
    try:
        yield alive
    finally:
        alive.close()
