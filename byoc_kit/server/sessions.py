"""The streams that a container serves at once, keyed by stream id."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from byoc_kit.errors import ByocKitError
from byoc_kit.params import ParamsError, parse_changes
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.requests import StartRequest
from byoc_kit.server.session import Session

logger = logging.getLogger(__name__)


class BusyError(ByocKitError):
    """No room for another stream."""


class Sessions:
    """Owns each stream's task from start to end; the orchestrator does not enforce the capacity, so this does."""

    def __init__(self, processor: FrameProcessor, *, capacity: int = 1) -> None:
        self.capacity = capacity
        self._processor = processor
        self._running: dict[str, tuple[Session, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._running)

    def start(self, stream_id: str, request: StartRequest) -> Session:
        """Start a stream and return at once.

        Raises :class:`ParamsError` naming a parameter that does not fit, and :class:`BusyError` at capacity.
        """
        if stream_id in self._running or len(self) >= self.capacity:
            msg = f"busy: {len(self)} of {self.capacity} streams run; stop one first"
            raise BusyError(msg)
        try:
            params = self._processor.hooks.params_type().updated(parse_changes(request.params))
        except ParamsError as error:
            field = error.field if error.field.startswith("params") else f"params.{error.field}"
            raise ParamsError(field, error.reason) from None
        session = Session(stream_id, request, self._processor, params)
        task = asyncio.create_task(session.run(), name=f"stream-{stream_id}")
        self._running[stream_id] = (session, task)
        task.add_done_callback(lambda task: self._ended(stream_id, task))
        return session

    def update_params(self, stream_id: str | None, raw: Any) -> int:
        """Change the parameters of one stream, or of all; returns how many there were. Raises :class:`ParamsError`."""
        chosen = self._chosen(stream_id)
        for session, _ in chosen:
            session.update_params(raw)
        return len(chosen)

    async def stop(self, stream_id: str | None = None) -> int:
        """End one stream, or all, with their tails sent; returns how many there were."""
        chosen = self._chosen(stream_id)
        for session, _ in chosen:
            session.stop()
        if chosen:
            await asyncio.wait([task for _, task in chosen])
        return len(chosen)

    def status(self) -> list[dict[str, Any]]:
        """Return each stream's status."""
        return [session.status() for session, _ in self._running.values()]

    def _chosen(self, stream_id: str | None) -> list[tuple[Session, asyncio.Task[None]]]:
        if stream_id is None:
            return list(self._running.values())
        found = self._running.get(stream_id)
        return [found] if found else []

    def _ended(self, stream_id: str, task: asyncio.Task[None]) -> None:
        del self._running[stream_id]
        if not task.cancelled() and (error := task.exception()):
            logger.error("stream %s ended with an error", stream_id, exc_info=error)
