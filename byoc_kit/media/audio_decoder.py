"""Sound of a live input: from its packets to decoded frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.packet import Packet

from byoc_kit.media.codecs import TIME_BASE

OnFault = Callable[[str, Exception], None]

# A time that a packet gives counts where it is further than this from what the frames before amount to. A frame may
# have begun in the packet before, which then gave its time.
_FRAMES_OFF = Fraction(3, 2)


class AudioDecoder:
    """Decodes the packets of one stream, in order; ``on_fault`` hears of what cannot be decoded.

    The demuxer hands PES packets on as they are. One may hold several frames, of which only the first has a time, and
    MPEG-TS puts a header of its own before each Opus frame: a parser takes them apart.
    """

    def __init__(self, stream: AudioStream, on_fault: OnFault) -> None:
        self.stream = stream
        self._on_fault = on_fault
        # Not the decoder's own parser, which tells the decoder what it believes to have found.
        self._parser = CodecContext.create(stream.codec_context.name, "r")
        self._given: int | None = None
        self._next_s: Fraction | None = None

    def decode(self, packet: Packet) -> Iterator[av.AudioFrame]:
        """Yield the frames of a packet, each with its time; an empty packet flushes the parser and the decoder."""
        time_base = packet.time_base or TIME_BASE
        if self._given is None:
            self._given = packet.pts
        for part in self._parts(packet):
            part.time_base, part.pts, self._given = time_base, self._given, None
            try:
                frames = self._decoder.decode(part)
            except av.FFmpegError as error:
                self._on_fault("undecodable sound", error)
                continue
            for frame in frames:
                if self._place(frame, time_base):
                    yield frame

    @property
    def _decoder(self) -> AudioCodecContext:
        return self.stream.codec_context

    def _parts(self, packet: Packet) -> Iterator[Packet]:
        try:
            yield from self._parser.parse(bytes(packet) if packet.size else None)
        except ValueError:  # PCM has no parser, and needs none
            yield packet
            return
        if not packet.size:
            yield packet

    def _place(self, frame: av.AudioFrame, time_base: Fraction) -> bool:
        """Set a frame's time; ``False`` if none is known yet."""
        lasts_s = Fraction(frame.samples, frame.sample_rate)
        given_s = None if frame.pts is None else frame.pts * time_base
        if given_s is not None and (self._next_s is None or abs(given_s - self._next_s) > _FRAMES_OFF * lasts_s):
            self._next_s = given_s
        if self._next_s is None:
            return False
        frame.pts, frame.time_base = round(self._next_s / time_base), time_base
        self._next_s += lasts_s
        return True
