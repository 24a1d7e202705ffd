"""How a push ended, read from ``git push --porcelain``. Whatever is not plainly said to have landed has not."""

import re

from gnomon.stores.repositories.address import RemoteAddress
from gnomon.stores.repositories.failures import failure, server_text
from gnomon.stores.repositories.interface import PushResult
from gnomon.stores.repositories.process import Completed

_DONE_FLAGS = (" ", "=", "*", "+")
_RACED = re.compile(
    r"fetch first|non-fast-forward|stale info|lock ref|failed to (lock|update ref)|incorrect old value|but expected|"
    r"already exists|updated since",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(r"\[remote failure\]|failed to report status|internal server error|timed? ?out", re.IGNORECASE)
_FORBIDDEN = re.compile(
    r"authentication failed|could not read (username|password)|permission denied \(|returned error: 40[13]|"
    r"permission to \S+ denied|access denied|protected branch|dubious ownership|transport '.*' not allowed",
    re.IGNORECASE,
)


def push_result(answer: Completed, reference: str, address: RemoteAddress) -> PushResult:
    """Return how the push of one commit to ``reference`` ended.

    Args:
        answer: What ``git push --porcelain`` said.
        reference: The full name of the branch at the remote.
        address: The remote.
    """
    conceal = address.conceal
    flag, summary = _line_of(answer.stdout.decode("utf-8", "replace"), reference)
    if flag in _DONE_FLAGS and answer.returncode == 0:
        return PushResult("landed")
    if flag == "!" and _RACED.search(summary):
        # An HTTP client repeats a request whose connection died, and is then told that it came too late - after itself.
        is_sure = summary.startswith("[rejected]") or not address.url.startswith("http")
        return PushResult("raced" if is_sure else "unknown", conceal(summary))
    if flag == "!" and not _NO_ANSWER.search(summary):
        told = server_text(answer.stderr)
        return PushResult("refused", conceal(f"{summary}: {told}" if told else summary))
    if not flag and _FORBIDDEN.search(answer.stderr):
        return PushResult("refused", failure(f"pushing to {reference}", answer.stderr, conceal).cause)
    return PushResult("unknown", failure(f"pushing to {reference}", answer.stderr or summary, conceal).cause)


def _line_of(porcelain: str, reference: str) -> tuple[str, str]:
    """Return flag and summary of the line for ``reference``, or two empty texts."""
    for line in porcelain.splitlines():
        parts = line.split("\t")
        if len(parts) == 3 and parts[1].rpartition(":")[2] == reference:
            return parts[0], parts[2]
    return "", ""
