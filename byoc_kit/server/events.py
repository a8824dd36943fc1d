"""A stream's events: what an orchestrator is told about it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from byoc_kit.trickle.connection import TrickleError
from byoc_kit.trickle.publisher import publish_message

logger = logging.getLogger(__name__)

STATUS_INTERVAL_S = 5.0


class Events:
    """Publishes to the channel at ``url``."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def run(self, status: Callable[[], dict[str, Any]]) -> None:
        """Publish the stream's status now and every 5 s. After 30 s without an event, a gateway ends the stream.

        If ``status`` raises, that event is left out; the first such exception is logged.
        """
        has_raised = False
        while True:
            try:
                current = status()
            except Exception:
                if not has_raised:
                    logger.exception("a stream's status raises; events without it are left out")
                has_raised = True
            else:
                await self.publish("status", current)
            await asyncio.sleep(STATUS_INTERVAL_S)

    async def publish(self, kind: str, status: dict[str, Any], *, timeout_s: float | None = None) -> None:
        """Publish one event. If it does not get through in time, it is lost, and the loss is logged."""
        event = {"type": kind, "timestamp": int(time.time() * 1000), **status}
        try:
            async with asyncio.timeout(timeout_s):
                await publish_message(self._http, self._url, json.dumps(event).encode())
        except (TrickleError, TimeoutError) as error:
            logger.info("stream %s: an event was lost: %s", status["stream_id"], error or "it took too long")
