"""joblib.Parallel: two worker processes. Runs in our environment."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment, the steps in the folder of the work)

import json

import numpy as np
from fits import best, fit
from joblib import Parallel, delayed

if __name__ == "__main__":
    x, y = np.load("x.npy"), np.load("y.npy")
    print(json.dumps({"value": best(Parallel(2)(delayed(fit)(i, x, y) for i in range(24)))}))
