"""Tests compute as the processes of steps do: with one thread, so that numbers and run times do not depend on the machine."""

import os

# Before any library starts its threads: afterwards it is too late.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
