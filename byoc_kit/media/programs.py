"""Packets of a live MPEG-TS input, whatever happens to it on the way, at times that only run forward.

MPEG-TS counts 90 000 a second in 33 bits, so its clock wraps after 26.5 hours (ISO/IEC 13818-1, 2.4.3.7); a publisher
that starts anew, or loops a file, jumps back besides. Jumps ahead are kept: the time in between did pass.
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
    """Shifts the packets of a programme so that a jump back goes on 1/30 s after the latest time before it.

    Video and sound jump one after the other, and to the same place. A step back of up to 1 s is left alone, and one of
    up to 0.2 s also where the other stream has jumped. A jump of ten minutes and more ahead is believed when the next
    packet confirms it: a damaged time is not.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._shift_of: dict[str, int] = {}
        self._latest_of: dict[str, int] = {}
        self._doubtful: dict[str, int] = {}

    def place(self, packet: Packet) -> None:
        """Shift a packet's times, in units of 1/90000 s; one without any stays as it is."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        shift = self._shift_for(packet.stream.type, time)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift

    def _shift_for(self, stream: str, time: int) -> int:
        if not self._latest_of and time < 0:
            self._shift = WRAP  # libavformat counts down to a wrap that is near, which no MPEG-TS can say
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
    """The streams of an input between two changes of its tables: its first video and its first sound."""

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
        """Why it has no picture, or nothing at all, though there is something."""
        announces_video = any(stream.is_other_video for stream in self.announced)
        if self.video is not None or (self.audio is not None and not announces_video):
            return None
        what = "video" if self.audio is not None else "video or sound"
        kinds = ", ".join(map(str, self.announced)) or "nothing"
        return f"the input has no {what} that can be decoded here, only {kinds}; send H.264 or HEVC, and AAC"

    @property
    def rate(self) -> Fraction:
        """Pictures a second, as far as the first ones tell."""
        return (self.video and (self.video.average_rate or self.video.guessed_rate)) or _DEFAULT_RATE

    def packets(self) -> Iterator[Packet]:
        """Yield the packets with times that only run forward; the last of each stream is empty, to flush its decoder.

        Blocks for the next one. Where the input cannot be read on the programme ends, and ``on_fault`` hears of it.
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
        """Yield the demuxer's packets to the end, or to where the input cannot be read on."""
        try:
            yield from self.container.demux(streams)
        except av.FFmpegError as error:
            self.on_fault("unreadable input", error)
        except IndexError:
            return  # PyAV flushes streams that came later than it counted: the programme has ended all the same


def read_programs(
    reader: ByteReader,
    on_fault: OnFault,
    *,
    counts: PictureCounts | None = None,
    hwaccel: HWAccel | None = None,
) -> Iterator[Program]:
    """Yield each programme of an input until it ends; each must be read to its end before the next.

    Bytes that are no MPEG-TS are passed over and reported to ``on_fault``, as is a programme of which nothing can be
    decoded. Pictures of further video are only counted.
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
                raise  # before it read a byte: it would go on so for ever
        if not source.next_program():
            return
