from collections.abc import Iterator

import pytest

from gnomon.lineage.kept import Kept, opened
from tests.operator.rig import FILES, Rig


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An operator that has brought one model from a commit to traffic."""
    made = Rig(tmp_path_factory.mktemp("lineage"))
    made.push(dict(FILES), "Declare delays")
    made.until(lambda: made.serves(1))
    yield made
    made.close()


@pytest.fixture
def kept(rig: Rig) -> Iterator[Kept]:
    """The home of that operator, which goes on meanwhile."""
    with opened(rig.home) as found:
        yield found
