"""What is followed, and what would be done with other files."""

import re

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from gnomon.api.asking import aside, body
from gnomon.api.plane import ControlPlane
from gnomon.errors import UsageError
from gnomon.operator.loop import SOURCE_SETTING
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.operator.preview import SentTree, preview
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.interface import TreeEntry
from gnomon.version import __version__

_LARGEST_PREVIEW = 64 * 2**20
_TOO_LARGE = "send manifests only; data files go by name and blob id"
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_MOST_BASES = 200


class SentManifest(msgspec.Struct, frozen=True):
    """A manifest of a folder; ``content`` travels as base64."""

    path: str
    blob: str
    content: bytes


class SentFiles(msgspec.Struct, frozen=True):
    """What ``gnomon plan`` sends: manifests with content, every file by name, and the commits that they stand on."""

    manifests: list[SentManifest]
    tree: list[TreeEntry]
    bases: list[str] = []
    pipelines: dict[str, PipelineCode] = {}
    """What the code of each pipeline comes to there."""


class SourceHandlers:
    """The source that is followed."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._records = plane.assembly.records

    async def healthz(self, _: Request) -> Response:
        """Tell that the process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """Tell whether a commit has been taken up."""
        told = await aside(lambda: self._records.setting(SOURCE_SETTING))
        is_ready = bool(told and told.get("revision"))
        return PlainTextResponse("ok\n" if is_ready else "no commit has been taken up yet\n", 200 if is_ready else 503)

    async def source(self, _: Request) -> Response:
        """Tell what is followed, and how that goes."""
        told = await aside(lambda: self._records.setting(SOURCE_SETTING)) or {}
        checked = self._plane.assembly.operator.source.state.checked_at
        answer = {**told, **self._plane.about, "version": __version__, "checkedAt": checked.isoformat() if checked else None}
        return JSONResponse(answer)

    async def reconcile(self, _: Request) -> Response:
        """Have the remote asked at once."""
        self._plane.assembly.operator.reconcile()
        return JSONResponse({"accepted": True}, 202)

    async def plan(self, request: Request) -> Response:
        """Tell what the operator would do with the files that are sent."""
        try:
            sent = msgspec.json.decode(
                await body(request, _LARGEST_PREVIEW, "the files to plan with", _TOO_LARGE), type=SentFiles
            )
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"the files to plan with cannot be read: {error}", "send what `gnomon plan` sends") from None
        files = [ManifestFile(file.path, file.blob, file.content) for file in sent.manifests]
        bases = [Revision(base) for base in sent.bases if _COMMIT.fullmatch(base)][:_MOST_BASES]
        here = SentTree(files, tuple(sent.tree), tuple(bases), sent.pipelines)
        return JSONResponse(await aside(lambda: preview(self._plane.assembly.operator, here)))
