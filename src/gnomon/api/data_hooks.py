"""Word that there is new data. It carries no truth: the source is looked at, and what is found there decides."""

import hashlib
import hmac
import os

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gnomon.api.asking import aside, body, path_key
from gnomon.api.plane import ControlPlane
from gnomon.api.problems import problem_answer
from gnomon.api.unknown import unknown_resource
from gnomon.resources.dataset import Dataset, FromEnvironment
from gnomon.resources.identity import ResourceKey

WEBHOOK_PATHS = "/webhooks/"
"""Callers here prove who they are to each dataset, not to the operator."""
_SIGNATURE = "x-hub-signature-256"
_LARGEST_BODY = 2**20
_ACCEPTED = {"accepted": True}


class DataHandlers:
    """Sources that somebody asks to be looked at."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._operator = plane.assembly.operator

    async def refresh(self, request: Request) -> Response:
        """Have the source of a dataset looked at, due or not."""
        key = path_key(request, "Dataset")
        if await aside(lambda: self._dataset(key)) is None:
            raise await aside(lambda: unknown_resource(key, self._plane.assembly.records))
        await aside(lambda: self._operator.look_at(key))
        return JSONResponse(_ACCEPTED, 202)

    async def webhook(self, request: Request) -> Response:
        """Have the source of a dataset looked at, on the word of a caller who proves who it is.

        Where the dataset declares no proof, the operator's token is asked for; of datasets that are not there, nothing is told.
        """
        key = path_key(request, "Dataset")
        dataset = await aside(lambda: self._dataset(key))
        content = await body(request, _LARGEST_BODY, "the words of a webhook", "send a short body, or none")
        webhook = dataset.spec.webhook if dataset is not None else None
        if webhook is not None and webhook.secret is not None:
            is_known = _is_signed(request, content, _value(webhook.secret))
            asked = "sign the body with the secret: X-Hub-Signature-256: sha256=…"
        elif webhook is not None and webhook.token is not None:
            is_known = _bears(request, _value(webhook.token))
            asked = "send the token: Authorization: Bearer …"
        else:
            is_known = not self._plane.token or _bears(request, self._plane.token)
            asked = "send the operator's token: Authorization: Bearer …"
        if not is_known:
            mend = f"{asked}; the operator must have the variable that the dataset names" if webhook is not None else asked
            return problem_answer("Unauthorized", 401, "the proof of who calls is missing or wrong", mend)
        if dataset is None:
            raise await aside(lambda: unknown_resource(key, self._plane.assembly.records))
        await aside(lambda: self._operator.look_at(key))
        return JSONResponse(_ACCEPTED, 202)

    def _dataset(self, key: ResourceKey) -> Dataset | None:
        desired = self._operator.source.desired()
        declared = desired.compiled.declared.get(key) if desired is not None else None
        return declared.resource if declared is not None and isinstance(declared.resource, Dataset) else None


def _value(reference: FromEnvironment) -> str:
    """Return what a variable holds; an empty one lets nobody in."""
    return os.environ.get(reference.env, "")


def _bears(request: Request, token: str) -> bool:
    sent = request.headers.get("authorization", "").encode()
    return bool(token) and hmac.compare_digest(sent, f"Bearer {token}".encode())


def _is_signed(request: Request, content: bytes, secret: str) -> bool:
    sent = request.headers.get(_SIGNATURE, "").encode()
    expected = f"sha256={hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}".encode()
    return bool(secret) and hmac.compare_digest(sent, expected)
