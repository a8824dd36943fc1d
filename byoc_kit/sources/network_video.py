"""Plays video from the network with libav: cameras, streaming servers, files and playlists over HTTP."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from itertools import chain

import av
from av.container import InputContainer

from byoc_kit.core.frame_queue import FrameQueue
from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.deinterlace import deinterlaced
from byoc_kit.media.demux import MediaError, avoid_slice_threads, decoded, video_stream
from byoc_kit.media.presentation import shown, turn_of
from byoc_kit.system.addresses import without_secrets

logger = logging.getLogger(__name__)

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 10.0

# RTSP over TCP passes through tunnels and loses nothing. Longer probing would delay the first picture.
_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "2000000"}
# The demuxers of these formats make up times, 25 per second, whatever the camera does.
_WITHOUT_TIMES = {"mpjpeg", "mjpeg"}
_HELD = 4
_MAX_LAG_S = 0.5
_MAX_AHEAD_S = 10.0


class NetworkVideo:
    """The frames of a URL that libav opens.

    A camera's frames are yielded as they come; if the reader falls behind, the oldest one is dropped. With
    ``is_paced``, for a file, each frame is held back until its time.
    """

    def __init__(self, url: str, *, is_paced: bool = False) -> None:
        self.name = without_secrets(url)
        self._url = url
        self._is_paced = is_paced
        self._waiting: FrameQueue[VideoFrame] = FrameQueue(_HELD, drops=None if is_paced else "oldest")
        self._closed = threading.Event()
        self._is_open = False
        self._opening_s = 0.0
        self._has_times = True

    def frames(self) -> Generator[VideoFrame]:
        """See ``LiveSource.frames``. Opening may take 5 s, and each next frame 10 s."""
        threading.Thread(target=self._read, name="source-network", daemon=True).start()
        timeout_s, pace = OPEN_TIMEOUT_S + READ_TIMEOUT_S, _Pace()
        try:
            while (frame := self._take(timeout_s)) is not None:
                if self._is_paced and self._has_times:
                    self._closed.wait(max(0.0, pace.due_s(frame.time_s) - time.monotonic()))
                yield frame
                timeout_s = READ_TIMEOUT_S
        finally:
            self.close()

    def close(self) -> None:
        """See ``LiveSource.close``. libav cannot be interrupted: on a silent stream, its thread ends after 10 s."""
        self._closed.set()
        self._waiting.close()

    def _take(self, timeout_s: float) -> VideoFrame | None:
        try:
            return self._waiting.take(timeout_s)
        except TimeoutError:
            msg = f"{self.name} has sent no picture for {timeout_s:.0f} s; check that it still runs"
            raise MediaError(msg) from None

    def _read(self) -> None:
        error: MediaError | None = None
        self._opening_s = time.monotonic()
        try:
            with av.open(
                self._url, mode="r", container_options=_OPTIONS, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)
            ) as container:
                self._is_open = True
                self._hand_over(avoid_slice_threads(container))
        except MediaError as raised:
            error = raised
        except av.FFmpegError as raised:
            error = self._broken(raised)
        except Exception as raised:
            logger.exception("reading %s ended early", self.name)
            error = self._broken(raised)
        finally:
            self._waiting.finish(error)

    def _hand_over(self, container: InputContainer) -> None:
        stream = video_stream(container, self.name)
        self._has_times = container.format.name not in _WITHOUT_TIMES
        pictures = decoded(stream, container.demux(stream))
        first = next(pictures, None)
        if first is None:
            msg = f"{self.name} ended without a picture that can be decoded; give another URL"
            raise MediaError(msg)
        for frame in shown(stream, deinterlaced(chain([first], pictures)), turn_of(first)):
            if not self._waiting.put(frame):
                return

    def _broken(self, error: Exception) -> MediaError:
        # libav reports a handshake that broke off as damaged data, so the time decides.
        is_late = not self._is_open and time.monotonic() - self._opening_s >= OPEN_TIMEOUT_S
        if is_late or isinstance(error, av.error.ExitError):
            what, timeout_s = (
                ("has sent nothing", READ_TIMEOUT_S) if self._is_open else ("did not answer", OPEN_TIMEOUT_S)
            )
            return MediaError(
                f"{self.name} {what} for {timeout_s:.0f} s; check that it runs and can be reached from here"
            )
        reason = (error.strerror if isinstance(error, av.FFmpegError) else None) or type(error).__name__
        what = "broke off" if self._is_open else "cannot be played"
        return MediaError(f"{self.name} {what}: {reason}; check that it runs, and that the URL is that of a video")


class _Pace:
    """Decides when each frame is due: the first at once, and the others at their times after it."""

    def __init__(self) -> None:
        self._began_s: float | None = None

    def due_s(self, time_s: float) -> float:
        """Return the monotonic time at which a frame is due: now, if its time has jumped or is long past."""
        now_s = time.monotonic()
        if self._began_s is None or not -_MAX_LAG_S < self._began_s + time_s - now_s < _MAX_AHEAD_S:
            self._began_s = now_s - time_s
        return self._began_s + time_s
