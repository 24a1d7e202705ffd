"""Tests compute as the processes of steps do: with one thread, so that numbers and run times do not depend on the machine."""

import os

from hypothesis import settings

# Before any library starts its threads: afterwards it is too late.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A busy machine is no failure. What CI says of a commit does not change with the day; people's machines go on looking.
settings.register_profile("gnomon", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("gnomon")
