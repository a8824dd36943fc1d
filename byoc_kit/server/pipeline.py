"""One stream's media path: MPEG-TS bytes in, frames through the stage, MPEG-TS segments out.

    inlet -> [decode thread] -> Stage's worker -> bounded queue -> [encode thread] -> outlet

Every queue is bounded. A slow network or encoder holds the worker up, and the stage then drops frames at its entry.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from byoc_kit.frames import FrameError, VideoFrame
from byoc_kit.media.decode import MediaError, open_stream, to_video_frame, whole_packets
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.params import Params
from byoc_kit.processor import FrameProcessor
from byoc_kit.server.pipes import ByteInlet, SegmentOutlet
from byoc_kit.stage import Processed, Stage

logger = logging.getLogger(__name__)

_MAX_TO_ENCODE = 8
_DEFAULT_RATE = Fraction(30)


@dataclass(frozen=True)
class _Format:
    """What the encoder must know of the input before the first frame."""

    rate: Fraction
    audio: AudioStream | None


class Pipeline:
    """The threads of one stream. ``outlet`` may be ``None``: a stream without video output."""

    def __init__(
        self, processor: FrameProcessor, params: Params, inlet: ByteInlet, outlet: SegmentOutlet | None, *, name: str
    ) -> None:
        self.stage = Stage(processor, self._sink, params=params, name=f"process-{name}")
        self.frames_encoded = 0
        self.faults: Counter[str] = Counter()
        self._inlet = inlet
        self._outlet = outlet
        self._to_encode: queue.Queue[VideoFrame | Packet | _Format | None] = queue.Queue(_MAX_TO_ENCODE)
        self._is_abandoned = threading.Event()
        self._decoder = threading.Thread(target=self._decode, name=f"decode-{name}", daemon=True)
        self._encoder = threading.Thread(target=self._encode, name=f"encode-{name}", daemon=True)

    def start(self) -> None:
        """Start the threads; they end when the inlet does."""
        self.stage.start()
        self._encoder.start()
        self._decoder.start()

    def join(self, timeout_s: float) -> bool:
        """Wait until all that came in has gone out; ``False`` if it has not within ``timeout_s``. Blocks."""
        self._decoder.join(timeout_s)
        return not self._decoder.is_alive()

    def abandon(self) -> None:
        """Let go of what is still on its way; nothing waits for a ``process_frame`` that hangs."""
        self._is_abandoned.set()
        self._inlet.end()
        self.stage.close(drain=False, timeout_s=0)

    def _decode(self) -> None:
        try:
            with open_stream(self._inlet) as container:
                self._read_packets(container)
                self._finish()  # before the container closes: the encoder copies its sound's format from it
        except MediaError as error:
            if self._inlet.bytes_in:
                self._fault("unreadable input", error)
        except Exception as error:
            logger.exception("reading the input ended early")
            self._fault("unreadable input", error)
        finally:
            self._finish()

    def _finish(self) -> None:
        """Wait until the stage and the encoder are done with what they have."""
        while not self.stage.close(timeout_s=0.5) and not self._is_abandoned.is_set():
            pass
        self._put(None)
        self._encoder.join()

    def _read_packets(self, container: InputContainer) -> None:
        video = next(iter(container.streams.video), None)
        audio = next(iter(container.streams.audio), None)
        rate = (video and (video.average_rate or video.guessed_rate)) or _DEFAULT_RATE
        self._put(_Format(rate, audio))
        chosen = [stream for stream in (video, audio) if stream is not None]
        for packet in whole_packets(container.demux(chosen)):
            if self._is_abandoned.is_set():
                return
            if packet.stream is video:
                self._decode_packet(packet)
            elif packet.size:
                self._put(packet)

    def _decode_packet(self, packet: Packet) -> None:
        try:
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    self.stage.submit(to_video_frame(frame))
        except av.FFmpegError as error:
            self._fault("undecodable picture", error)

    def _sink(self, processed: Processed) -> None:
        if processed.output is not None:
            self._put(processed.output)

    def _put(self, item: VideoFrame | Packet | _Format | None) -> None:
        while not self._is_abandoned.is_set():
            try:
                self._to_encode.put(item, timeout=0.5)
            except queue.Full:
                continue
            return

    def _encode(self) -> None:
        writer: SegmentWriter | None = None
        while (item := self._next()) is not None:
            if self._outlet is None:
                continue
            if isinstance(item, _Format):
                writer = SegmentWriter(self._outlet.begin_segment, self._outlet.write, rate=item.rate, audio=item.audio)
            elif writer is not None:
                self._write(writer, item)
        if writer is not None and not self._is_abandoned.is_set():
            writer.close()

    def _write(self, writer: SegmentWriter, item: VideoFrame | Packet) -> None:
        try:
            if isinstance(item, VideoFrame):
                writer.write_frame(item)
                self.frames_encoded += 1
            else:
                writer.write_audio(item)
        except (av.FFmpegError, FrameError, ValueError) as error:
            self._fault("unencodable frame", error)

    def _next(self) -> VideoFrame | Packet | _Format | None:
        while not self._is_abandoned.is_set():
            try:
                return self._to_encode.get(timeout=0.5)
            except queue.Empty:
                continue
        return None

    def _fault(self, kind: str, error: Exception) -> None:
        if not self.faults[kind]:
            logger.warning("%s: %s", kind, error)
        self.faults[kind] += 1
