"""Reads the programmes of a live MPEG-TS input: their packets, with times that only run forward.

MPEG-TS counts 90 000 a second in 33 bits, so its clock wraps after 26.5 hours (ISO/IEC 13818-1, 2.4.3.7). Times also
jump back when a publisher starts again, or loops a file. Jumps ahead are kept: that time has passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from byoc_kit.media.access_units import access_units
from byoc_kit.media.decode import OnFault, PictureCounts
from byoc_kit.media.demux import ByteReader, MediaError, open_stream
from byoc_kit.media.psi import Elementary
from byoc_kit.media.ts_reader import TransportReader

WRAP = 1 << 33
_WRAP_GAP = 600 * 90_000
_TOLERANCE = 18_000
_NEAR = 90_000
_DOUBTFUL = 600 * 90_000
_STEP_AFTER_JUMP = 3_000
_DEFAULT_RATE = Fraction(30)


class Timeline:
    """Shifts the times of packets, so that after a jump back they go on 1/30 s after the latest time before it.

    Video and sound jump one after the other, but to the same place. A step back of up to 1 s is
    kept; once the other stream has jumped, only one of up to 0.2 s is, and a longer one follows that jump. A jump ahead
    of ten minutes or more could be a damaged time, so it is only believed when the next packet confirms it.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._shift_of: dict[str, int] = {}
        self._latest_of: dict[str, int] = {}
        self._doubtful: dict[str, int] = {}

    def place(self, packet: Packet) -> None:
        """Shift a packet's times, which are in 1/90000 s, if it has any."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        shift = self._shift_for(packet.stream.type, time)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift

    def _shift_for(self, stream: str, time: int) -> int:
        if not self._latest_of and time < 0:
            self._shift = WRAP  # libavformat gives negative times before a wrap that is near
        shift = self._shift_of.get(stream, self._shift)
        latest = self._latest_of.get(stream, time + shift)
        if time + shift < latest - _TOLERANCE:
            shift = self._shift = self._shift_after_jump(shift, time)
        elif time + shift > latest + _DOUBTFUL and abs(time - self._doubtful.get(stream, -WRAP)) > _DOUBTFUL:
            self._doubtful[stream] = time
            return latest + _STEP_AFTER_JUMP - time
        self._shift_of[stream] = shift
        self._latest_of[stream] = max(latest, time + shift)
        return shift

    def _shift_after_jump(self, shift: int, time: int) -> int:
        latest = max(self._latest_of.values())
        follows_other = abs(time + self._shift - latest) <= _NEAR
        if follows_other:
            return self._shift
        is_wrap = abs(time + shift + WRAP - latest) < _WRAP_GAP
        return shift + WRAP if is_wrap else latest + _STEP_AFTER_JUMP - time


@dataclass(frozen=True)
class Program:
    """The first video and the first sound of an input, between two changes of its tables."""

    container: InputContainer
    announced: tuple[Elementary, ...]
    timeline: Timeline = field(repr=False)
    counts: PictureCounts = field(repr=False)
    on_fault: OnFault = field(repr=False)

    @property
    def video(self) -> VideoStream | None:
        """The first video stream that can be decoded."""
        return next((stream for stream in self.container.streams.video if stream.codec_context), None)

    @property
    def audio(self) -> AudioStream | None:
        """The first sound that can be decoded."""
        return next((stream for stream in self.container.streams.audio if stream.codec_context), None)

    @property
    def problem(self) -> str | None:
        """Why no video, or nothing at all, can be decoded, though the input has some; ``None`` if all is well."""
        announces_video = any(stream.is_other_video for stream in self.announced)
        if self.video is not None or (self.audio is not None and not announces_video):
            return None
        what = "video" if self.audio is not None else "video or sound"
        kinds = ", ".join(map(str, self.announced)) or "nothing"
        return f"the input has no {what} that can be decoded here, only {kinds}; send H.264 or HEVC, and AAC"

    @property
    def rate(self) -> Fraction:
        """Pictures per second, as far as the first ones show it."""
        return (self.video and (self.video.average_rate or self.video.guessed_rate)) or _DEFAULT_RATE

    def packets(self) -> Iterator[Packet]:
        """Yield the packets, with times that only run forward. The last of each stream is empty, to flush its decoder.

        Blocks until the next packet comes. If the input cannot be read any further, the programme ends, and
        ``on_fault`` is told.
        """
        chosen = [stream for stream in (self.video, self.audio) if stream is not None]
        others = [stream for stream in self.container.streams.video if stream is not self.video]
        left_out_as = "undecodable" if self.video is None else "other video"
        for packet in access_units(self._demuxed([*chosen, *others])):
            if packet.stream in chosen:
                self.timeline.place(packet)
                yield packet
            elif packet.stream in others and packet.size:
                self.counts.leave_out(left_out_as)

    def _demuxed(self, streams: list[VideoStream | AudioStream]) -> Iterator[Packet]:
        """Yield the demuxer's packets, as far as the input can be read."""
        try:
            yield from self.container.demux(streams)
        except av.FFmpegError as error:
            self.on_fault("unreadable input", error)
        except IndexError:
            return  # PyAV raises this at the end of a programme in which a stream began late


def read_programs(
    reader: ByteReader,
    on_fault: OnFault,
    *,
    counts: PictureCounts | None = None,
    hwaccel: HWAccel | None = None,
) -> Iterator[Program]:
    """Yield the programmes of an input, one after the other. Read each to its end before the next.

    Bytes that are not MPEG-TS are skipped, and reported to ``on_fault``; so is a programme of which nothing can be
    decoded. Pictures of a second video are only counted.
    """
    counts = counts or PictureCounts()
    source = TransportReader(reader)
    timeline = Timeline()
    parses = False
    while True:
        try:
            with open_stream(source, parses=parses, hwaccel=hwaccel) as container:
                parses = False
                program = Program(container, source.streams, timeline, counts, on_fault)
                if program.problem is not None:
                    on_fault("nothing to decode", MediaError(program.problem))
                yield program
        except (MediaError, av.FFmpegError) as error:
            if source.has_data:
                on_fault("unreadable input", error)
                parses = True
            elif not source.is_ended:
                raise  # nothing was read, so trying again would never end
        if not source.next_program():
            return
