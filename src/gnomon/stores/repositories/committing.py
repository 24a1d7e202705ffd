"""Planned commits become a stream for ``git fast-import``, which makes any number of them without index or work tree."""

from collections.abc import Sequence

from gnomon.errors import UsageError
from gnomon.stores.repositories.interface import PlannedCommit


def import_stream(branch: str, parent: str, planned: Sequence[PlannedCommit], who: str) -> bytes:
    """Return the stream that makes ``planned`` on ``parent``, prints the id of each, and leaves no branch behind.

    Args:
        branch: A name that nobody else uses; fast-import commits to it and forgets it at the end.
        parent: What the first commit is made on.
        planned: The commits, the oldest first.
        who: Author and committer with time, as Git writes them.

    Raises:
        UsageError: A path cannot be in a commit.
    """
    stream: list[bytes] = []
    for number, commit in enumerate(planned, start=1):
        text = commit.message.replace("\0", "").strip() + "\n"
        stream.append(f"commit {branch}\nmark :{number}\nauthor {who}\ncommitter {who}\n".encode())
        stream += _data(text.encode("utf-8", "replace"))
        if number == 1:
            stream.append(f"from {parent}\n".encode())
        for change in commit.changes:
            path = _quoted(change.path)
            if change.content is None:
                stream.append(f"D {path}\n".encode())
            else:
                stream += [f"M 100644 inline {path}\n".encode(), *_data(change.content)]
        stream.append(f"\nget-mark :{number}\n".encode())
    stream.append(f"reset {branch}\nfrom {'0' * len(parent)}\n\ndone\n".encode())
    return b"".join(stream)


def _data(content: bytes) -> tuple[bytes, bytes, bytes]:
    return f"data {len(content)}\n".encode(), content, b"\n"


def _quoted(path: str) -> str:
    parts = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts):
        raise UsageError(f"{path!r} cannot be the path of a file in a commit", "give a path relative to the repository's root")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
