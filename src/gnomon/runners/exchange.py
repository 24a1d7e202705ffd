"""What stands at the beginning of the file in which a call leaves what came of it."""

DONE = b"done"
FAILED = b"fail"
NO_MEMORY = b"nome"
