"""joblib.Memory: each step's function remembered by its source and arguments. Runs in our environment."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment, the steps in the folder of the work)

import json

from joblib import Memory
from steps import CHAIN

if __name__ == "__main__":
    memory = Memory("joblib-state", verbose=0)
    value = 0
    for step in CHAIN:
        value = memory.cache(step)(value)
    print(json.dumps({"value": value}))
