"""The streams that a container serves at once, keyed by stream id, and the counts over all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from byoc_kit.core.params import ParamsError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stage import MAX_KINDS, OTHERS
from byoc_kit.errors import ByocKitError
from byoc_kit.media.demux import MediaError
from byoc_kit.server.ending import RELEASE_S
from byoc_kit.server.live_runner import CallbackError, LiveSession
from byoc_kit.server.one_picture import OnePicture, Written
from byoc_kit.server.requests import StartRequest, within_params
from byoc_kit.server.session import Session
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import validated
from byoc_kit.system.concurrency import cancel_all, take_error


@dataclass
class Totals:
    """Sums of what the streams' statuses count."""

    started: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    drops: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)

    def add(self, status: dict[str, Any]) -> None:
        """Add a stream's status."""
        for name in ("frames_in", "frames_out", "frames_encoded", "segments_out", "segments_lost"):
            self.counts[name] += status.get(name, 0)
        for place, reasons in status.get("drops", {}).items():
            for reason, count in reasons.items():
                self.drops[place, reason] += count
        for failure in status.get("failures", []):
            error = failure["error"]
            is_known = error in self.failures or len(self.failures) < MAX_KINDS
            self.failures[error if is_known else OTHERS] += failure["count"]
        self.faults.update(status.get("faults", {}))

    def with_running(self, statuses: Iterable[dict[str, Any]]) -> Totals:
        """Return the sums with those of the streams that still run."""
        total = deepcopy(self)
        for status in statuses:
            total.add(status)
        return total


logger = logging.getLogger(__name__)

_STOPPING = "the server is stopping; start the stream elsewhere"

_Occupant: TypeAlias = Session | OnePicture
_Running: TypeAlias = tuple[Session, asyncio.Task[None]]


class BusyError(ByocKitError):
    """No room for another stream."""


class Sessions:
    """Owns each stream's task from start to end; the orchestrator does not enforce the capacity, so this does.

    A stream that has ended keeps its place while its ``process_frame`` hangs: the model is not free for another.
    ``ended`` is the status of the last one that ended.
    """

    def __init__(self, processor: FrameProcessor, settings: ServerSettings, *, capacity: int = 1) -> None:
        self.capacity = capacity
        self.ended: dict[str, Any] | None = None
        self.totals = Totals()
        self._processor = processor
        self._settings = settings
        self._running: dict[str, _Running] = {}
        self._pictures: set[OnePicture] = set()
        self._hung: list[_Occupant] = []
        self._starting: set[str] = set()
        self._unwanted: set[str] = set()  # of those that start: stopped before they ran
        self._releasing: dict[str, asyncio.Task[None]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._running)

    async def start(self, stream_id: str, request: StartRequest, *, live: LiveSession | None = None) -> Session:
        """Start a stream and return once its parameters are checked, and the channels of a Live Runner's are made.

        Raises ``ParamsError`` naming a parameter that does not fit, ``CallbackError`` where channels are not made, and
        ``BusyError`` at capacity, and once all have been stopped.
        """
        self._check_room(stream_id)
        self._starting.add(stream_id)
        try:
            session = await self._make(stream_id, request, live)
        except ParamsError as error:
            raise within_params(error) from None
        finally:
            self._starting.discard(stream_id)
            is_unwanted = stream_id in self._unwanted
            self._unwanted.discard(stream_id)
        if self._is_closed or is_unwanted:
            self._begin_release(live)
            msg = _STOPPING if self._is_closed else f"the stream {stream_id} was stopped before it ran"
            raise BusyError(msg)
        self.totals.started += 1
        logger.info("stream %s starts: %s", stream_id, session.request.channels())
        task = asyncio.create_task(session.run(), name=f"stream-{stream_id}")
        self._running[stream_id] = (session, task)
        task.add_done_callback(lambda task: self._ended(stream_id, task))
        return session

    async def process_picture(
        self, data: bytes, changes: dict[str, Any], choose: Callable[[str], str]
    ) -> Written | None:
        """Process one picture as a stream of its own; see ``OnePicture.process``.

        Raises ``BusyError`` as ``start`` does.
        """
        self._check_room()
        picture, outcome = OnePicture(self._processor, self._settings), "failed"
        self._pictures.add(picture)
        try:
            written = await picture.process(data, changes, choose)
            outcome = "dropped" if written is None else "processed"
        except MediaError:
            outcome = "refused"
            raise
        except ParamsError as error:
            outcome = "refused"
            raise within_params(error) from None
        finally:
            self.totals.pictures[outcome] += 1
            self._pictures.discard(picture)
            if picture.is_hung:
                self._hung.append(picture)
        return written

    async def _make(self, stream_id: str, request: StartRequest, live: LiveSession | None) -> Session:
        while True:
            make = partial(Session, stream_id, request, processor := self._processor, self._settings, live=live)
            session = await validated(make, self._settings.stall_timeout_s)
            if live is not None:
                session.request = await self._opened(live, request)
            if self._processor is processor:  # no swap has come between
                return session

    async def _opened(self, live: LiveSession, request: StartRequest) -> StartRequest:
        try:
            return await live.open(request)
        except CallbackError as error:
            self._note_callback(f"session {live.id} does not start", error)
            raise

    async def start_live(self, live: LiveSession, request: StartRequest) -> LiveSession:
        """Start the stream of a Live Runner's session, once however often it is asked for; returns what runs.

        Raises what ``start`` raises.
        """
        turn = self._turns.setdefault(live.id, asyncio.Lock())
        async with turn:
            self.check_owner(live)
            running = self._running.get(live.id)
            if running is None or running[0].live is None:
                await self.start(live.id, request, live=live)
                return live
            if running[0].is_stopping:
                msg = f"busy: the session {live.id} is ending; reserve another one"
                raise BusyError(msg)
            return running[0].live

    def check_owner(self, live: LiveSession) -> None:
        """Raise ``BusyError`` where the session that runs under an id is another one, of another orchestrator, say."""
        running = self._running.get(live.id)
        if running is not None and running[0].live is not None and not running[0].live.is_same(live):
            msg = f"busy: a session {live.id} with another token runs already"
            raise BusyError(msg)

    def live_session_ids(self) -> list[str]:
        """Return the Live Runner sessions that run, as their orchestrator names them."""
        return [session.id for session, _ in self._running.values() if session.live is not None]

    def problem(self) -> str | None:
        """Say why the container is not well: the first stream that shows it.

        A decoder or encoder that stands still costs its stream, and the stream's place. The others go on, so that is a
        fault of the container only when no place is left: who restarts it then ends nothing that works.
        """
        sessions: list[_Occupant] = [
            *(session for session, _ in self._running.values()),
            *self._pictures,
            *self._still_hung(),
        ]
        if found := next(filter(None, (session.problem() for session in sessions)), None):
            return found
        stalls = [stall for session in sessions if (stall := session.stall())]
        return stalls[0] if len(stalls) >= self.capacity else None

    def dead_end(self) -> str | None:
        """Say why no stream can be served any more: what does not return has taken every place, and no stream runs."""
        stuck = [why for session in self._still_hung() if (why := session.problem() or session.stall())]
        return stuck[0] if len(stuck) >= self.capacity else None

    @property
    def is_occupied(self) -> bool:
        """Whether a stream runs, a picture is processed, or either has left the model at a frame."""
        return bool(self._running or self._pictures or self._still_hung())

    async def update_params(self, stream_id: str | None, changes: dict[str, Any]) -> bool:
        """Change the parameters of a stream; returns whether there is one. Raises ``ParamsError``.

        ``None`` is the stream that runs alone.
        """
        chosen = self._chosen(stream_id)
        for session, _ in chosen:
            await session.update_params(changes)
        return bool(chosen)

    async def swap(self, processor: FrameProcessor) -> None:
        """Serve the streams that run, and those that come, with another processor."""
        self._processor = processor
        for session, _ in list(self._running.values()):
            await session.swap(processor)

    async def stop(self, stream_id: str | None) -> int:
        """End a stream with its tail sent; returns how many there were. ``None`` is the stream that runs alone.

        One that is about to run, which may take seconds of making channels, does not come to it.
        """
        starting = self._starting if stream_id is None and not self._running else self._starting & {stream_id}
        if len(starting) == 1:
            self._unwanted |= starting
            return 1
        return await _stop(self._chosen(stream_id))

    async def stop_all(self) -> None:
        """End every stream with its tail sent and its session released, and every picture; nothing starts any more."""
        self._is_closed = True
        await asyncio.gather(_stop(list(self._running.values())), *(picture.stop() for picture in self._pictures))
        if self._releasing:
            await asyncio.wait(self._releasing.values(), timeout=RELEASE_S)
            await cancel_all(list(self._releasing.values()))

    def status(self) -> list[dict[str, Any]]:
        """Return each stream's status."""
        return [session.status() for session, _ in self._running.values()]

    def _chosen(self, stream_id: str | None) -> list[_Running]:
        """Return the stream of that name, or the one that runs alone; none where several run and none is named."""
        if stream_id is None:
            return list(self._running.values()) if len(self) == 1 else []
        found = self._running.get(stream_id)
        return [found] if found else []

    def _check_room(self, stream_id: str | None = None) -> None:
        if self._is_closed:
            raise BusyError(_STOPPING)
        hung, running, pictures = len(self._still_hung()), len(self) + len(self._starting), len(self._pictures)
        is_there = any(stream_id in ids for ids in (self._running, self._starting, self._releasing))
        if not is_there and running + pictures + hung < self.capacity:
            return
        msg = f"busy: {running} of {self.capacity} streams run; stop one first"
        if pictures:
            msg = f"busy: {running} streams and {pictures} pictures have all {self.capacity} places; try again"
        if stream_id in self._releasing:
            msg = f"busy: the session {stream_id} has ended; reserve another one"
        elif is_there:
            msg = f"busy: a stream {stream_id} runs already; stop it first"
        if hung:
            msg = f"busy: a hook has not returned from a stream that ended ({hung} of {self.capacity} places)"
        raise BusyError(msg)

    def _still_hung(self) -> list[_Occupant]:
        self._hung = [session for session in self._hung if session.is_hung]
        return self._hung

    def _ended(self, stream_id: str, task: asyncio.Task[None]) -> None:
        session, _ = self._running.pop(stream_id)
        self.ended = session.status()
        self.totals.add(self.ended)
        logger.info("stream %s ended: %s", stream_id, _summary(self.ended))
        if session.is_hung:
            self._hung.append(session)
        if not task.cancelled() and (error := task.exception()):
            logger.error("stream %s ended with an error", stream_id, exc_info=error)
        self._begin_release(session.live)

    def _begin_release(self, live: LiveSession | None) -> None:
        """Give the place of a session back. The stream's own is free before: the next session may come at once."""
        if live is not None:
            releasing = asyncio.create_task(self._release(live), name=f"release-{live.id}")
            self._releasing[live.id] = releasing
            releasing.add_done_callback(take_error)

    async def _release(self, live: LiveSession) -> None:
        try:
            await live.release()
        except CallbackError as error:
            self._note_callback(
                f"session {live.id} keeps its place on the orchestrator until its client stops it", error
            )
        except asyncio.CancelledError:
            logger.warning("session %s was not released in time", live.id)
            raise
        finally:
            del self._releasing[live.id]

    def _note_callback(self, what: str, error: CallbackError) -> None:
        self.totals.faults["session callback"] += 1
        logger.warning("%s: %s", what, error)


def _summary(status: dict[str, Any]) -> str:
    """Say in a line what a stream was: why it ended, how long it was and what came of its frames."""
    why = status["error"] or status["ended_by"] or "it did not come to start"
    drops = [reasons for place, reasons in status.get("drops", {}).items() if place != "sound"]
    dropped = sum(count for reasons in drops for count in reasons.values())
    sent = status.get("frames_encoded") or status.get("frames_out", 0)
    frames = f"{status.get('frames_in', 0)} frames in, {sent} out, {dropped} dropped"
    size = status.get("input_size") or "no picture"
    return f"{why}; {size}, {frames}, {status['elapsed_s']:.1f} s"


async def _stop(chosen: list[_Running]) -> int:
    for session, _ in chosen:
        session.stop()
    if chosen:
        await asyncio.wait([task for _, task in chosen])
    return len(chosen)
