"""Kind Service: one model, served under the service's name."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gnomon.resources.base import Name, Resource, Strict
from gnomon.resources.quantities import ByteSize, Duration


class ReleasePolicy(Strict):
    """How a version that passed its gates comes to serve."""

    promote: Literal["auto", "manual"] = "auto"
    """Release a version that passed its gates by itself, or leave that to a person."""
    after_revert: Literal["require-change", "hold", "any"] = "require-change"
    """After a ``git revert`` of a release: wait for a candidate that differs, for a person, or only ban that digest."""
    keep_warm: Annotated[int, Field(ge=0, le=10)] = 1
    """How many earlier releases stay loaded, so that a rollback is a route flip."""


class Limits(Strict):
    """What one request may ask for."""

    body: ByteSize = 8 * 2**20
    """Largest request body."""
    timeout: Duration = timedelta(seconds=10)
    """Longest that one request may take."""


class ServiceSpec(Strict):
    """The whole of a Service."""

    model: Name
    """The Model of this namespace to serve."""
    release: ReleasePolicy = ReleasePolicy()
    """How versions come to serve."""
    limits: Limits = Limits()
    """What one request may ask for."""
    suspend: bool = False
    """Leave it as it is: what serves goes on serving, and nothing is released."""


class Service(Resource):
    """One model, served under the service's name."""

    kind: Literal["Service"] = "Service"
    """Always ``Service``."""
    spec: ServiceSpec
    """What is wanted."""
