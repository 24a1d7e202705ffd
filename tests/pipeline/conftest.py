"""A runner whose zygote all tests of this folder share."""

from collections.abc import Iterator

import pytest

from gnomon.runners.processes import ProcessRunner
from gnomon.runners.warm import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    shared = Zygote(["gnomon.pipeline.child"])
    yield shared
    shared.close()


@pytest.fixture
def runner(zygote: Zygote) -> Iterator[ProcessRunner]:
    made = ProcessRunner(2, zygote=zygote)
    yield made
    made.close()
