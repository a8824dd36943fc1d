"""What a registration sees of the container's streams, from a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger(__name__)

_ANSWERS_WITHIN_S = 0.5


@dataclass(frozen=True)
class Seen:
    """The streams at one moment: how many run, which are sessions of a Live Runner, and whether there can be more."""

    session_ids: tuple[str, ...] = ()
    running: int = 0
    is_well: bool = True


class Streams(Protocol):
    """The streams of the container that is registered."""

    async def look(self) -> Seen:
        """Return what there is now."""
        ...

    def end(self, session_id: str) -> None:
        """End a session that its orchestrator does not have any more; one that has ended is left alone."""
        ...


class Sessions(Protocol):
    """The server's sessions, whose methods are called on their own loop."""

    def __len__(self) -> int: ...

    def live_session_ids(self) -> list[str]:
        """Return the ids of the streams that are sessions of a Live Runner."""
        ...

    def dead_end(self) -> str | None:
        """Say why no stream can be served any more."""
        ...

    async def stop(self, stream_id: str | None) -> int:
        """End a stream."""
        ...


class OwnStreams:
    """The sessions of this process. They are asked on their loop, where this is made.

    A loop that is blocked, by code of the notebook's for example, must not keep a heartbeat from being sent: what was
    seen before it was blocked stands then.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._loop = asyncio.get_running_loop()
        self._asked: Future[Seen] | None = None
        self._seen = Seen()
        self._ending: dict[str, asyncio.Task[int]] = {}

    async def look(self) -> Seen:
        """Return what there is now, or was when the loop last answered."""
        asked = self._asked or self._ask()
        answer = asyncio.wrap_future(asked)
        try:
            await asyncio.wait([answer], timeout=_ANSWERS_WITHIN_S)
        finally:
            answer.cancel()
        if asked.done():
            self._seen = asked.result()
            self._asked = None
        return self._seen

    def end(self, session_id: str) -> None:
        """End a session on its loop."""
        self._loop.call_soon_threadsafe(self._end, session_id)

    def _ask(self) -> Future[Seen]:
        """Let the loop answer when it can; it is asked only once for that."""
        self._asked = asked = Future[Seen]()
        asked.set_running_or_notify_cancel()  # so that who waits no longer does not cancel it
        self._loop.call_soon_threadsafe(self._answer, asked)
        return asked

    def _answer(self, asked: Future[Seen]) -> None:
        sessions = self._sessions
        try:
            is_well = sessions.dead_end() is None
            asked.set_result(Seen(tuple(sessions.live_session_ids()), len(sessions), is_well=is_well))
        except Exception as error:  # noqa: BLE001  # who looks raises it
            asked.set_exception(error)

    def _end(self, session_id: str) -> None:
        if session_id in self._ending or session_id not in self._sessions.live_session_ids():  # it has ended meanwhile
            return
        logger.info("stream %s: its orchestrator has released the session; it ends", session_id)
        self._ending[session_id] = task = asyncio.create_task(self._sessions.stop(session_id), name=f"end-{session_id}")
        task.add_done_callback(lambda task: self._ended(session_id, task))

    def _ended(self, session_id: str, task: asyncio.Task[int]) -> None:
        del self._ending[session_id]
        if not task.cancelled() and (error := task.exception()):
            logger.error("stream %s could not be ended", session_id, exc_info=error)
