"""Kind Service: one model, served under the service's name."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gnomon.resources.base import Name, Resource, Strict
from gnomon.resources.quantities import ByteSize, Duration


class ReleasePolicy(Strict):
    """How a version that passed its gates comes to serve."""

    promote: Literal["auto", "manual"] = "auto"
    after_revert: Literal["require-change", "hold", "any"] = "require-change"
    """After a ``git revert`` of a release: wait for a candidate that differs, for a person, or only ban that digest."""
    keep_warm: Annotated[int, Field(ge=0, le=10)] = 1
    """How many earlier releases stay loaded, so that a rollback is a route flip."""


class Limits(Strict):
    """What one request may ask for."""

    body: ByteSize = 8 * 2**20
    timeout: Duration = timedelta(seconds=10)


class ServiceSpec(Strict):
    """The whole of a Service."""

    model: Name
    release: ReleasePolicy = ReleasePolicy()
    limits: Limits = Limits()
    suspend: bool = False


class Service(Resource):
    """One model, served under the service's name."""

    kind: Literal["Service"] = "Service"
    spec: ServiceSpec
