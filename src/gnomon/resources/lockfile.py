"""The text of a Release: the lock file of a service, which the operator writes and people take back."""

from gnomon.errors import ManifestError
from gnomon.resources.canonical import resource_yaml
from gnomon.resources.documents import Finding
from gnomon.resources.parse import parse_file
from gnomon.resources.release import Release

_MEND = "git revert the commit that broke it, or run `gnomon rollback`"
_COMMENT = """\
# Written by the Gnomon operator. To roll back, `git revert` the commit that wrote it: the version before serves again at once,
# and this one is never offered again.
"""


def render_release(release: Release) -> bytes:
    """Return the lock file of a release; equal releases give equal bytes, and ``parse_release`` reads them back.

    Raises:
        ManifestError: The evidence holds something that a manifest cannot, such as a number that is not finite.
    """
    content = (_COMMENT + resource_yaml(release)).encode()
    if parse_release(content) != release:
        raise ManifestError(
            f"the release of {release.spec.service} does not read back as it was written", "keep its evidence to plain values"
        )
    return content


def parse_release(content: bytes) -> Release:
    """Return the release that a lock file declares.

    Raises:
        ManifestError: It does not declare exactly one release; the cause names line and column.
    """
    parsed = parse_file(content)
    if parsed.finding is not None:
        raise _refused(parsed.finding)
    if len(parsed.documents) != 1:
        raise ManifestError(f"a lock file holds one Release, and this one {len(parsed.documents)} documents", _MEND)
    document = parsed.documents[0]
    if document.findings:
        raise _refused(document.findings[0])
    if not isinstance(document.resource, Release):
        raise ManifestError(f"a lock file holds a Release, and this one {document.key}", _MEND)
    return document.resource


def _refused(finding: Finding) -> ManifestError:
    where = f"line {finding.line}, column {finding.column}: " if finding.line else ""
    return ManifestError(f"{where}{finding.cause}", finding.mend)
