"""A feed and the stage behind it: the same stage that runs in the container."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.params import Params
from byoc_kit.core.stage import Failure, OnError, Processed, Stage, StageStats
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.jupyter.preview.feed import Feed
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.outcomes import Outcomes, Published, outcome_of
from byoc_kit.jupyter.preview.printed import Printed
from byoc_kit.jupyter.preview.stats import COLD_FRAMES, Meter
from byoc_kit.media.frame_size import Size
from byoc_kit.system.allocator import freed_memory_goes_back

logger = logging.getLogger(__name__)

Extent = tuple[int, int]
"""Width and height of a picture."""

READING_S = 3.0
# After this many times the same exception in a row, another one tells nothing new.
PAUSED_AFTER = 10


@dataclass(frozen=True)
class LastError:
    """A frame on which ``process_frame`` failed, as it came in, and why it failed."""

    frame: VideoFrame
    params: Params
    failure: Failure

    def without_decoder(self) -> LastError:
        """Return it with pixels of its own: a decoder's picture keeps the memory of all pictures of its pool."""
        copy = VideoFrame.from_pixels(self.frame.view(), self.frame.pts, self.frame.time_base)
        copy.side_data = self.frame.side_data
        return replace(self, frame=copy)

    @property
    def traceback(self) -> str:
        """The user's own lines, and the exception."""
        said = f"{self.failure.error}: {self.failure.message}" if self.failure.message else self.failure.error
        return f"{self.failure.trace}\n{said}".strip()


class Player:
    """Plays ``feed`` through a version of ``process_frame``; each result goes to ``show`` on the worker thread.

    A new version counts as good once it has made a frame; ``revert`` goes back to the last good one. The player owns
    two threads, ``preview-source`` and ``preview-stage``. It begins with ``params``, by default the version's.
    ``on_event`` is called for news that no result brings. ``earlier`` is a good version to go back to, if there is one.
    """

    def __init__(
        self,
        version: Version,
        feed: Feed,
        show: Callable[[Processed], None],
        *,
        on_event: Callable[[], None],
        size: Size | None = None,
        params: Params | None = None,
        earlier: Version | None = None,
    ) -> None:
        self.feed = feed
        # Unlike in the container, no burst: there no frame may be lost to a hiccup, here no picture may be late.
        self.published = Published()
        self.printed = Printed()
        version.print_to(self.printed)
        self.stage = Stage(
            version,
            self._sink,
            params=params,
            on_error=OnError.DROP,
            publish=self.published.take,
            burst_s=0,
            logs_failures=False,
            name="preview-stage",
        )
        self.arrivals = Meter()
        self.results = Meter()
        self.version = self._newest = version
        self.outcomes = Outcomes()
        self.sizes: tuple[Extent, Extent | None] | None = None
        self.last_error: LastError | None = None
        self.is_paused_by_error = False
        self._size = size or Size()
        self._good: Version | None = earlier
        self._before: Version | None = None
        self._failed_s = 0.0
        self._same_in_a_row = 0
        self._made = 0
        self._failures: dict[tuple[str, str], Failure] = {}
        self._counted_from = self.stage.stats()
        self._show = show
        self._on_event = on_event
        self._next_feed: Feed | None = None
        self._stream = 0
        self._refusal = ""
        self._lock = threading.RLock()
        self._is_started = False
        self._is_resting = False
        self._is_closed = False

    @property
    def is_playing(self) -> bool:
        """True from ``play`` until ``pause`` or the end."""
        return self.feed.is_playing and not self._is_closed

    @property
    def params(self) -> Params:
        """The parameters that the next frame sees."""
        return self.stage.params

    @property
    def can_revert(self) -> bool:
        """Whether there is a version to go back to, or to return to."""
        return self.is_reverted or self._earlier() is not None

    @property
    def is_reverted(self) -> bool:
        """Whether a version plays that is older than the newest."""
        return self.version is not self._newest

    @property
    def newest(self) -> Version:
        """The newest version, even if another one plays."""
        return self._newest

    def counts(self) -> StageStats:
        """Return the stage's counts since the function last changed."""
        now, then = self.stage.stats(), self._counted_from
        drops = {reason: count - then.drops.get(reason, 0) for reason, count in now.drops.items()}
        return replace(
            now,
            frames_in=now.frames_in - then.frames_in,
            frames_out=now.frames_out - then.frames_out,
            drops={reason: count for reason, count in drops.items() if count},
            failures=list(self._failures.values()),
        )

    def start(self) -> None:
        """Start the threads, paused; the first frame goes through."""
        with self._lock:
            if self._is_closed or self._is_started:
                return
            self._is_started = True
            self.stage.start()
            self._start(self.feed)

    def play(self) -> None:
        """Start or continue to play."""
        self.start()
        if not self._is_closed:
            self.arrivals.restart()
            self.is_paused_by_error = False
            self._same_in_a_row = 0
            self.feed.play()

    def pause(self) -> None:
        """Hold the frame."""
        with self._lock:
            self._is_resting = self.is_paused_by_error = False
            self.feed.pause()
        self.arrivals.restart()

    def clip_feed(self) -> ClipFeed:
        """Return the clip's feed for a person to control; the person then decides when it plays on.

        Raises ``ByocKitError`` if the source is live.
        """
        if not isinstance(self.feed, ClipFeed):
            msg = f"{self.feed.name} is live: you can pause it, not step through it; record a part, or choose a clip"
            raise ByocKitError(msg)
        self.is_paused_by_error = False
        return self.feed

    def rest(self, *, is_unwatched: Callable[[], bool]) -> None:
        """Hold the frame until ``wake``, if it plays and no page is open.

        The caller of ``wake`` first makes ``is_unwatched`` false. This method asks it under the lock, so it cannot hold
        the frame after that.
        """
        with self._lock:
            if self.is_playing and is_unwatched():
                self._is_resting = True
                self.feed.rest()

    def wake(self) -> None:
        """Play on after a rest."""
        with self._lock:
            if self._is_resting:
                self._is_resting = False
                self.feed.play()

    def update(self, changes: Mapping[str, Any]) -> None:
        """Change the parameters from the next frame on. Raises ``ParamsError``, and keeps the old ones."""
        with self._lock:
            self.stage.params = self.stage.params.updated(changes)
        self.feed.again()

    def swap(self, version: Version) -> None:
        """Run another version from the next frame on, and keep the values of the parameters that it also has."""
        self._newest = version
        self._run(version)

    def _run(self, version: Version) -> None:
        with self._lock:
            self.version = version
            self.stage.swap(version, version.carried_over(self.stage.params))
            self.stage.process_times.clear()
            self._same_in_a_row = self._made = 0
            self._failures.clear()
            self._counted_from = self.stage.stats()
            self.outcomes.clear()
            self.published.clear()
            self.printed.clear()
            self.sizes = None
            was_paused_by_error, self.is_paused_by_error = self.is_paused_by_error, False
        if was_paused_by_error:
            self.feed.play()
        self.feed.again()

    def revert(self) -> Version | None:
        """Go back to the last good version before the present one, also if the present one has made no frame yet.

        If an older version plays already, return to the newest.
        """
        other = self._newest if self.is_reverted else self._earlier()
        if other is not None:
            self._run(other)
        return other

    def switch(self, feed: Feed) -> None:
        """Play another feed as soon as its first frame is there. Until then the present one plays."""
        with self._lock:
            if self._is_closed:
                return
            is_started = self._is_started
            if is_started:
                given_up, self._next_feed = self._next_feed, feed
            else:
                given_up, self.feed = self.feed, feed
        if given_up is not None:
            given_up.close()
        if is_started:
            self._start(feed)

    def good_other_than(self, process_frame: Callable[..., Any]) -> Callable[..., Any] | None:
        """Return the function of the last good version that has another than this; ``None`` if there is none."""
        good = (version.hooks.process_frame for version in (self._good, self._before) if version is not None)
        return next((function for function in good if function is not process_frame), None)

    def take_refusal(self) -> str:
        """Return, once, why the feed to switch to does not play; empty if there is nothing to report."""
        with self._lock:
            refusal, self._refusal = self._refusal, ""
        return refusal

    def recent_error(self) -> LastError | None:
        """Return the last frame's exception. While playing, also one so recent that nobody had time to read it."""
        is_unread = self.is_playing and time.monotonic() - self._failed_s < READING_S
        is_recent = self._same_in_a_row > 0 or is_unread
        return self.last_error if is_recent else None

    def close(self) -> None:
        """End the threads and drop the waiting frames."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            feeds = [self.feed, *([self._next_feed] if self._next_feed else [])]
            self._next_feed = None
        for feed in feeds:
            feed.close()
        if self.stage.close(drain=False):
            self._end_stream()
        self._keep_error_without_decoder()

    def _keep_error_without_decoder(self) -> None:
        if self.last_error is not None:
            self.last_error = self.last_error.without_decoder()

    def _end_stream(self) -> None:
        try:
            self.version.end_stream()
        except Exception:
            logger.exception("on_stream_stop failed")

    def _start(self, feed: Feed) -> None:
        feed.start(lambda frame: self._submit(feed, frame), lambda: self._hear(feed))

    def _submit(self, feed: Feed, frame: VideoFrame) -> None:
        fitted = self._size.fit(frame).original()
        with self._lock:
            old = self._take_over(feed) if feed is self._next_feed else None
            if feed is self.feed:
                # Frames of the previous feed may still wait, so each frame says which stream it belongs to.
                fitted.side_data.stream = self._stream
                self.arrivals.tick()
                self.stage.submit(fitted)
        if old is not None:
            with freed_memory_goes_back():
                old.close()
            self._keep_error_without_decoder()
            self._on_event()

    def _take_over(self, feed: Feed) -> Feed:
        """Replace the present feed by the next one; returns the old one, to be closed."""
        old, self.feed, self._next_feed = self.feed, feed, None
        self._stream += 1
        self.arrivals.restart()
        if old.is_playing or old.error or old.has_ended:
            feed.play()
        return old

    def _hear(self, feed: Feed) -> None:
        """Handle a feed's event."""
        with self._lock:
            is_refused = feed is self._next_feed and bool(feed.error)
            if is_refused:
                self._next_feed, self._refusal = None, feed.error
        if is_refused:
            feed.close()
        self._on_event()

    def _earlier(self) -> Version | None:
        return self._before if self.version is self._good else self._good

    def _sink(self, result: Processed) -> None:
        self.results.tick()
        self._note_outcome(result)
        if result.failure is not None:
            self._note_failure(result, result.failure)
        elif isinstance(result.processor, Version):
            self._note_success(result.processor)
        self._show(result)

    def _note_outcome(self, result: Processed) -> None:
        version, source, output = result.processor, result.source.origin, result.output
        if output is not None or self.sizes is None:
            self.sizes = (source.width, source.height), (output.width, output.height) if output is not None else None
        if version is self.version and isinstance(version, Version):  # results of the earlier version no longer matter
            self.outcomes.add(outcome_of(result, largest=version.largest))

    def _note_failure(self, result: Processed, failure: Failure) -> None:
        if result.processor is self.version:
            failure = replace(failure, count=1).counted(self._failures)  # the stage counts from its start
        last = self.last_error.failure if self.last_error else None
        is_same = last is not None and (last.error, last.where) == (failure.error, failure.where)
        self.last_error = LastError(result.source.original(), result.params, failure)
        self._failed_s = time.monotonic()
        self._same_in_a_row = self._same_in_a_row + 1 if is_same else 1
        if self._same_in_a_row >= PAUSED_AFTER and self.feed.is_playing:
            self.is_paused_by_error = True
            self.feed.pause()

    def _note_success(self, version: Version) -> None:
        self._same_in_a_row = 0
        self._made += 1
        if self._made == COLD_FRAMES:
            self.stage.process_times.clear()
        with self._lock:
            if version is self.version and version is not self._good:
                self._before, self._good = self._good, version
                self._failed_s = 0.0  # errors of the earlier version no longer matter
