"""The limit: a bare fork for each step, the value over a pipe; no key, no journal, nothing kept."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment, the steps in the folder of the work)

import json
import os
from collections.abc import Callable

from steps import CHAIN


def forked(step: Callable[[int], int], value: int) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, json.dumps(step(value)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        value = int(file.read())
    os.waitpid(pid, 0)
    return value


if __name__ == "__main__":
    value = 0
    for step in CHAIN:
        value = forked(step, value)
    print(json.dumps({"value": value}))
