"""What is shown of a registration: its state in ``/stream/status`` and the log, its counts in ``/metrics``."""

from __future__ import annotations

import logging
import time
from collections import Counter
from enum import StrEnum
from typing import Any

from byoc_kit.registration.orchestrator import CallError
from byoc_kit.registration.plan import Plan
from byoc_kit.system.addresses import without_secrets

logger = logging.getLogger(__name__)


class State(StrEnum):
    """Where a registration is."""

    WAITING = "waiting"
    REGISTERED = "registered"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    LEFT = "left"


class Report:
    """Written by the registration's own thread and read by any other. Each change of state is one line of the log.

    ``heartbeats`` counts the calls that were made to register or to stay so, ``failures`` those that failed by their
    reason, and ``registrations`` how often the container has become registered.
    """

    def __init__(self, plan: Plan) -> None:
        self.state = State.WAITING
        self.heartbeats = 0
        self.registrations = 0
        self.failures: Counter[str] = Counter()
        self._way = plan.way
        self._orchestrator = without_secrets(plan.orchestrator_url)
        self._runner_id = plan.runner_id
        self._error: str | None = None
        self._heard_s: float | None = None

    @property
    def is_registered(self) -> bool:
        """Whether the last call went well."""
        return self.state is State.REGISTERED

    def registered(self, name: str, *, runner_id: str = "") -> None:
        """Note that the orchestrator has taken the container in, under a name."""
        self.registrations += 1
        self._runner_id = runner_id
        self._heard_s, self._error = time.monotonic(), None
        self.state = State.REGISTERED
        logger.info("registered at %s as %s", self._orchestrator, name)

    def heard(self) -> None:
        """Note that the orchestrator has answered a registered container."""
        self._heard_s, self._error = time.monotonic(), None
        if not self.is_registered:
            self.state = State.REGISTERED
            logger.info("%s answers again; the container is still registered", self._orchestrator)

    def failed(self, error: CallError) -> None:
        """Note a call that has failed; the next one comes in any case."""
        self.failures[error.reason] += 1
        self._error = str(error)
        state = State.REFUSED if error.is_refusal else State.UNREACHABLE
        if state is self.state:
            return
        self.state = state
        what = "is refused" if error.is_refusal else "fails"
        logger.warning("the registration at %s %s: %s; trying again", self._orchestrator, what, error)

    def left(self, error: CallError | None = None) -> None:
        """Note that the container is not registered any more, or that it could not say goodbye."""
        self.state = State.LEFT
        if error is None:
            logger.info("unregistered at %s", self._orchestrator)
            return
        self.failures[error.reason] += 1
        self._error = str(error)
        logger.warning("%s was not told that the container ends: %s", self._orchestrator, error)

    def status(self) -> dict[str, Any]:
        """Return what ``/stream/status`` shows."""
        heard_s = self._heard_s
        return {
            "as": self._way,
            "state": self.state,
            "orchestrator": self._orchestrator,
            "runner_id": self._runner_id or None,
            "last_heartbeat_age_s": None if heard_s is None else round(time.monotonic() - heard_s, 3),
            "last_error": self._error,
        }
