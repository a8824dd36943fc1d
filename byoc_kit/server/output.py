"""The output of a stream: its frames and its sound, encoded on one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque

from av.packet import Packet

from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.core.pixels import FrameError
from byoc_kit.core.stage import Processed
from byoc_kit.core.timings import Heartbeat, Timings
from byoc_kit.errors import in_one_line
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.decode import RECEIVED
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.media.programs import Program
from byoc_kit.media.ts_muxer import Continuity
from byoc_kit.server.outbox import Outbox
from byoc_kit.trickle.publisher import SegmentPublisher

logger = logging.getLogger(__name__)

_FPS_OVER_S = 5.0


class Faults:
    """Counts the faults of input and output that do not end a stream, and logs the first of each kind."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, error: Exception) -> None:
        """Count a fault, on any thread."""
        if not self.counts[kind]:
            logger.warning("%s: %s", kind, error)
        self.counts[kind] += 1


class Output:
    """Encodes frames and sound in order, and passes the segments to ``publisher``.

    A stream without video output has no ``publisher``; its frames are only counted. The output has no reference to what
    feeds it, so all of a stream is freed without the cyclic collector.
    """

    def __init__(
        self,
        publisher: SegmentPublisher | None,
        *,
        settings: MediaSettings,
        faults: Faults,
        encodes_audio: bool,
        name: str,
    ) -> None:
        self.frames_encoded = 0
        self.refused_in_a_row = 0
        self.last_refusal = ""
        self.encoding = Heartbeat("the encoder")
        self.sending = Heartbeat("the network")
        self._drops: Counter[str] = Counter()
        self._audio_refused: Counter[str] = Counter()
        self.encode_times = Timings()
        self.latencies = Timings()
        self._publisher = publisher
        self._settings = settings
        self._faults = faults
        self._encodes_audio = encodes_audio
        self._name = name
        self._continuity = Continuity()
        self._outbox = Outbox()
        self._out_at_s: deque[float] = deque(maxlen=600)
        self._encoder: threading.Thread | None = None

    def start(self) -> None:
        """Start the encode thread."""
        self._encoder = threading.Thread(target=self._encode, name=self._name, daemon=True)
        self._encoder.start()

    def begin(self, program: Program, *, video: bool) -> None:
        """Write what follows as this programme: with its sound, and with pictures if ``video``."""
        if self._publisher is None:
            return
        writer = SegmentWriter(
            _Watched(self._publisher, sending=self.sending, encoding=self.encoding),
            rate=program.rate,
            audio=program.audio,
            encodes_audio=self._encodes_audio,
            video=video,
            settings=self._settings,
            continuity=self._continuity,
        )
        self._outbox.put_writer(writer)

    def put(self, processed: Processed) -> None:
        """Take a frame from the stage; waits while the encoder is behind."""
        if processed.output is None:
            return
        if self._publisher is None:
            self._note_out(processed.source)
            return
        self._outbox.put_frame(processed.output)

    def put_audio(self, audio: AudioFrame | Packet) -> None:
        """Take sound, without waiting."""
        self._outbox.put_audio(audio)

    def finish(self) -> None:
        """Wait until all is encoded, or until ``abandon`` is called. Nothing may be put in after this."""
        self._outbox.finish()
        if self._encoder is not None:
            self._encoder.join()

    def abandon(self) -> None:
        """Drop what is still to be encoded, and wake whoever waits."""
        self._outbox.abandon()

    @property
    def is_abandoned(self) -> bool:
        """Whether ``abandon`` was called."""
        return self._outbox.is_abandoned

    @property
    def is_running(self) -> bool:
        """Whether the encode thread runs."""
        return self._encoder is not None and self._encoder.is_alive()

    @property
    def encodes(self) -> bool:
        """Whether frames are encoded; otherwise they are only counted."""
        return self._publisher is not None

    @property
    def drops(self) -> Counter[str]:
        """How many frames did not go out, by reason."""
        # The encode thread may add a reason meanwhile: copying is one step of the interpreter, adding is many.
        return self._drops.copy() + Counter(closed=self._outbox.frames_lost)

    @property
    def audio_drops(self) -> Counter[str]:
        """How many packets or frames of sound did not go out, by reason."""
        return self._audio_refused.copy() + Counter({"encoder behind": self._outbox.audio_lost})

    @property
    def waits_s(self) -> deque[float]:
        """For how many seconds each of the last chunks waited for the network. Read it on the event loop."""
        return deque() if self._publisher is None else self._publisher.waits_s

    def fps(self) -> float:
        """Return the recent frames per second: of the encoder, or of the stage if nothing is encoded."""
        now_s = time.monotonic()
        recent = [at_s for at_s in tuple(self._out_at_s) if now_s - at_s <= _FPS_OVER_S]
        return round(len(recent) / _FPS_OVER_S, 2)

    def _note_out(self, frame: VideoFrame) -> None:
        now_s = time.monotonic()
        self._out_at_s.append(now_s)
        self.latencies.add(now_s - frame.log_timestamps.get(RECEIVED, now_s))

    def _encode(self) -> None:
        writer: SegmentWriter | None = None
        while (item := self._outbox.take()) is not None:
            if isinstance(item, SegmentWriter):
                self._close(writer)
                writer = item
            elif writer is not None:
                with self.encoding.step():
                    self._write(writer, item)
        if self._outbox.is_abandoned and writer is not None:
            writer.abandon()
        else:
            self._close(writer)

    def _write(self, writer: SegmentWriter, item: VideoFrame | AudioFrame | Packet) -> None:
        try:
            if isinstance(item, VideoFrame):
                self._write_frame(writer, item)
            elif isinstance(item, AudioFrame):
                writer.write_audio_frame(item)
            else:
                writer.write_audio(item)
        except FrameError as error:
            self._refused(item, "no size for video", error)
        except Exception as error:  # noqa: BLE001  # the next frame may work; this one is counted and shown
            self._refused(item, "encoder refused it", error)

    def _refused(self, item: VideoFrame | AudioFrame | Packet, why: str, error: Exception) -> None:
        is_frame = isinstance(item, VideoFrame)
        (self._drops if is_frame else self._audio_refused)[why] += 1
        self._faults.add("unencodable frame" if is_frame else "unencodable sound", error)
        if is_frame:
            self.last_refusal = in_one_line(error)  # its text only: the exception's traceback would keep this object
            self.refused_in_a_row += 1

    def _write_frame(self, writer: SegmentWriter, frame: VideoFrame) -> None:
        if not writer.has_video:
            self._drops["no video any more"] += 1  # this frame was on its way when the input continued without video
            return
        with self.encode_times.measured():
            is_written = writer.write_frame(frame)
        if not is_written:
            self._drops["not later than the last"] += 1
            return
        self.frames_encoded += 1
        self.refused_in_a_row = 0
        self._note_out(frame)

    def _close(self, writer: SegmentWriter | None) -> None:
        if writer is None:
            return
        try:
            with self.encoding.step():
                writer.close()
        except Exception as error:  # noqa: BLE001  # the next programme may work
            self._faults.add("unfinished segment", error)


class _Watched:
    """A publisher with a heartbeat of its own, so that waiting for the network does not count as the encoder's time."""

    def __init__(self, publisher: SegmentPublisher, *, sending: Heartbeat, encoding: Heartbeat) -> None:
        self._publisher = publisher
        self._sending = sending
        self._encoding = encoding

    def begin_segment(self) -> None:
        with self._sending.step():
            self._publisher.begin_segment()
            self._encoding.restart()

    def write(self, data: bytes) -> None:
        with self._sending.step():
            self._publisher.write(data)
            self._encoding.restart()
