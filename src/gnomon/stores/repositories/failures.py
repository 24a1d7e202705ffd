"""What Git writes to stderr becomes errors with cause and mend."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gnomon.errors import BranchMissingError, RemoteUnreachableError, RepositoryError

_LONGEST_MESSAGE = 2000
_REMOTE_LINE = re.compile(r"^remote: ?(.*?)\s*$", re.MULTILINE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")


@dataclass(frozen=True)
class _Reason:
    pattern: re.Pattern[str]
    error: Callable[[str, str], RepositoryError]
    what: str
    mend: str


def _reason(pattern: str, error: Callable[[str, str], RepositoryError], what: str, mend: str) -> _Reason:
    return _Reason(re.compile(pattern, re.IGNORECASE), error, what, mend)


class MirrorDamagedError(RepositoryError):
    """The mirror holds broken objects, as after a power loss; the next fetch makes it anew."""


class MirrorBusyError(RepositoryError):
    """A lock file of the mirror is there: another process works on it, or died while doing so."""


class ObjectFormatError(RepositoryError):
    """The remote names its objects by another hash than the mirror does."""


_REASONS = (
    _reason(
        r"couldn't find remote ref|remote branch .* not found",
        BranchMissingError,
        "the branch is not there",
        "push the branch, or name another one; what was fetched before stays as it is",
    ),
    _reason(
        r"mismatched algorithms|unsupported object format|unexpected object format",
        ObjectFormatError,
        "its objects are named by another hash",
        "the mirror is made anew for it",
    ),
    _reason(
        r"transport '.*' not allowed|is not a git command|unable to find remote helper",
        RepositoryError,
        "this kind of address is not allowed",
        "use https://, http://, ssh://, git://, file:// or a path",
    ),
    _reason(
        r"host key verification failed",
        RepositoryError,
        "its host key is not the known one",
        "check the key with the host's owner, then add it with `ssh-keyscan HOST >> ~/.ssh/known_hosts`",
    ),
    _reason(
        r"authentication failed|could not read (username|password)|permission denied \(|returned error: 401",
        RepositoryError,
        "it does not accept these credentials",
        "check the user name and the token, the credential helper, or the ssh key",
    ),
    _reason(
        r"returned error: 403|permission to \S+ denied|\baccess denied",
        RepositoryError,
        "these credentials may not do this",
        "give the account access to the repository",
    ),
    _reason(
        r"certificate|ssl_|ssl:|gnutls|tls ",
        RepositoryError,
        "its certificate cannot be trusted",
        "set http.sslCAInfo in ~/.gitconfig to the authority's certificate, and check the clock",
    ),
    _reason(
        r"dubious ownership",
        RepositoryError,
        "it belongs to another user",
        "if you trust it, run `git config --global --add safe.directory PATH` with its path",
    ),
    _reason(
        r"no space left on device|disk quota exceeded",
        RepositoryError,
        "the disk is full",
        "make room on the disk of the mirror",
    ),
    _reason(
        r"unable to create '.*\.lock'|cannot lock ref|unable to lock|could not lock",
        MirrorBusyError,
        "the mirror is locked",
        "try again; if it stays so, delete the mirror, it is only a copy",
    ),
    _reason(
        r"object file \S+ is empty|is corrupt|bad object (refs/|HEAD)|bad tree|bad (signature|index)|inflate: |invalid pack|"
        r"does not point to a valid object|packfile .*(does not match|cannot be|is far too short)|wrong index|"
        r"unable to (read|parse) (tree|commit|blob|object|sha1|[0-9a-f]{40})|missing (blob|tree|commit|object)|"
        r"could not (parse|read) (commit|object)|did not send all necessary objects|unresolved deltas|"
        r"fatal: not a git repository: |bad config (line|file)",
        MirrorDamagedError,
        "the mirror is damaged",
        "nothing to do: the next fetch makes it anew",
    ),
    _reason(
        r"repository .* not found|returned error: 404|does not appear to be a git repository|repository not found",
        RemoteUnreachableError,
        "there is no repository, or none that these credentials may see",
        "check the address and the access of the account; what was fetched before stays as it is",
    ),
    _reason(
        r"could not resolve|name or service not known|failed to connect|couldn't connect|connection (refused|reset|closed)|"
        r"operation too slow|timed out|early eof|hung up|unexpected disconnect|empty reply|rpc failed|"
        r"network is unreachable|no route to host|returned error: (5\d\d|429)|unable to access|could not read from remote|"
        r"unable to connect|expected flush|bad line length|protocol error|invalid server response|transfer closed",
        RemoteUnreachableError,
        "it cannot be reached",
        "check the network and the address; what was fetched before stays as it is",
    ),
)


def failure(doing: str, stderr: str, conceal: Callable[[str], str]) -> RepositoryError:
    """Return the error for a Git process that failed.

    Args:
        doing: What was being done to what, such as "fetching main from https://host/repo".
        stderr: What Git said.
        conceal: Removes credentials from a text.
    """
    own = _REMOTE_LINE.sub("", stderr)
    said = conceal(_summary(stderr))
    for reason in _REASONS:
        if reason.pattern.search(own):
            return reason.error(f"{doing} failed, {reason.what}: {said}", reason.mend)
    return RepositoryError(f"{doing} failed: {said}", "see what git says; the same command by hand may tell more")


def overdue(doing: str, seconds: float) -> RemoteUnreachableError:
    """Return the error for a Git process that was ended at its deadline."""
    return RemoteUnreachableError(
        f"{doing} was not done after {seconds:g} s",
        "check the network and the remote, or raise spec.source.timeout of the Project",
    )


def server_text(stderr: str) -> str:
    """Return what the server's hooks said to the pusher, without Git's prefix."""
    return "\n".join(line for line in _REMOTE_LINE.findall(stderr) if line)[-_LONGEST_MESSAGE:].strip()


def without_userinfo(text: str) -> str:
    """Return ``text`` with user names and passwords taken out of its addresses."""
    return _USERINFO.sub("", text)


def _summary(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return " / ".join(lines[-6:])[-_LONGEST_MESSAGE:] or "git said nothing"
