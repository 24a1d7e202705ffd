"""The text of a Release: the lock file of a service, which the operator writes and people take back."""

from gnomon.errors import ManifestError
from gnomon.resources.canonical import resource_yaml
from gnomon.resources.parse import parse_release
from gnomon.resources.release import Release

_COMMENT = """\
# Written by the Gnomon operator. To roll back, `git revert` the commit that wrote it: the version before serves again at once,
# and this one is never offered again.
"""


def render_release(release: Release) -> bytes:
    """Return the lock file of a release. Equal releases give equal bytes, and ``resources.parse.parse_release`` reads them.

    Raises:
        ManifestError: The evidence holds something that a manifest cannot, such as a number that is not finite.
    """
    content = (_COMMENT + resource_yaml(release)).encode()
    if parse_release(content) != release:
        raise ManifestError(
            f"the release of {release.spec.service} does not read back as it was written", "keep its evidence to plain values"
        )
    return content
