"""What a registration is to be: by which contract, at which orchestrator, and of what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from byoc_kit.core.capability import Capability
from byoc_kit.registration.bodies import PERSISTENT


class Way(StrEnum):
    """How a container joins the network by itself."""

    LIVE_RUNNER = "live-runner"
    BYOC = "byoc"


@dataclass(frozen=True)
class Plan:
    """All that a registration has to know.

    ``secret`` is the orchestrator's (its ``-orchSecret``), ``token`` what the container demands of callers, which only
    BYOC tells the orchestrator. Without a ``runner_id`` the orchestrator makes one. ``params_sha256`` is that of the
    parameters' schema.
    """

    way: Way
    orchestrator_url: str
    runner_url: str
    capability: Capability
    secret: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    runner_id: str = ""
    mode: str = PERSISTENT
    params_sha256: str | None = None
