"""Secrets of steps: taken from the driver's environment when a step starts, and struck out of what it says."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from gnomon.errors import UsageError

_STRUCK = b"***"
_SHORTEST = 4  # characters; what is shorter stands everywhere by chance
_SHORTEST_LINE = 8
_CHUNK_BYTES = 1 << 20


def secret_values(step: str, names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the secrets that a step declares.

    Raises:
        UsageError: One is not set; the cause names it.
    """
    missing = [name for name in names if name not in environ]
    if missing:
        raise UsageError(
            f"step {step} declares the secret {missing[0]}, which is not set",
            f"set the environment variable {missing[0]} where the driver of the run is started",
        )
    return {name: environ[name] for name in names}


class Censor:
    """Strikes out values, whole and line by line."""

    def __init__(self, values: Iterable[str]) -> None:
        found: set[str] = set()
        for value in values:
            found.update(part for part in (value, value.strip()) if len(part) >= _SHORTEST)
            found.update(line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_LINE)
        # The longest first: one may be a part of another.
        self._values = sorted((value.encode("utf-8", "surrogateescape") for value in found), key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without the values."""
        return self._struck(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace") if self._values else text

    def knows(self, content: bytes) -> bool:
        """Return whether a value stands in some bytes."""
        return any(value in content for value in self._values)

    def file(self, path: Path) -> None:
        """Strike the values out of a file, in a new file of its name."""
        if not self._values or not path.is_file():
            return
        overlap = max(map(len, self._values)) - 1
        clean = path.with_name(f"{path.name}.clean")
        with path.open("rb") as source, clean.open("wb") as target:
            kept = b""
            while chunk := source.read(_CHUNK_BYTES):
                kept = self._struck(kept + chunk)
                # A value may go on in the next chunk.
                ready = max(0, len(kept) - overlap)
                target.write(kept[:ready])
                kept = kept[ready:]
            target.write(kept)
        clean.replace(path)

    def _struck(self, content: bytes) -> bytes:
        for value in self._values:
            content = content.replace(value, _STRUCK)
        return content
