"""Packets in, MPEG-TS bytes out, each packet at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from byoc_kit.media.mpegts import FIRST_PID, PACKET, PMT_PID, TABLE_PIDS, pid_of

StreamT = TypeVar("StreamT", bound=VideoStream | AudioStream)

_OPTIONS = {
    "mpegts_copyts": "1",  # the output keeps the input's times
    "mpegts_flags": "pat_pmt_at_frames",  # each segment can be decoded by itself
    "omit_video_pes_length": "0",  # a reader knows where a frame ends without waiting for the next
    "pes_payload_size": "0",  # sound is not collected until it fills a PES packet
    "flush_packets": "1",
}
_BUFFER = 174 * PACKET
_HEADER = 4


class TransportMuxer:
    """Muxes a programme to MPEG-TS: ``sink(data)`` gets whole transport packets before :meth:`mux` returns.

    libavformat holds a packet back until one of each other stream has come, or the next of its own: a picture would
    wait for a frame. So each stream has a muxer of its own here, and the tables name them all. Streams are added before
    the first packet; they get their PIDs in that order.
    """

    def __init__(self, sink: Callable[[bytes], object], options: Mapping[str, str] | None = None) -> None:
        self._sink = sink
        self._options = {**_OPTIONS, **(options or {})}
        self._lanes: dict[VideoStream | AudioStream, _Lane] = {}
        self._leader: _Lane | None = None
        self._pmt = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # PyAV 14.2 writes to freed memory when an open output to a Python object is collected, and the process dies.
        for lane in self._lanes.values():
            with suppress(av.FFmpegError):
                lane.container.close()

    def add(self, make: Callable[[OutputContainer], StreamT]) -> StreamT:
        """Add the stream that ``make(container)`` adds to an empty output; where it raises, none is added."""
        taken = _Bytes()
        options = {**self._options, "mpegts_start_pid": str(FIRST_PID + len(self._lanes))}
        container = av.open(taken, mode="w", format="mpegts", options=options, buffer_size=_BUFFER)
        try:
            stream = make(container)
        except BaseException:
            container.close()
            raise
        self._lanes[stream] = _Lane(container, taken)
        return stream

    def add_copy(self, source: StreamT) -> StreamT:
        """Add a stream that takes the packets of another as they are."""
        return self.add(lambda container: container.add_stream_from_template(source))

    def mux(self, packet: Packet) -> None:
        """Write a packet; its ``stream`` is one of those added."""
        if self._leader is None:
            self._begin(packet)
        lane = self._lane_of(packet)
        lane.container.mux(packet)
        self._hand_on(lane)

    def close(self) -> None:
        """End all streams."""
        for lane in self._lanes.values():
            lane.container.close()
            self._hand_on(lane)

    def _begin(self, packet: Packet) -> None:
        if len(self._lanes) > 1:
            for lane in self._lanes.values():
                lane.container.start_encoding()
            self._pmt = _pmt_of(self._lanes, packet)
        lanes = self._lanes.items()
        self._leader = next((lane for stream, lane in lanes if isinstance(stream, VideoStream)), self._lane_of(packet))

    def _lane_of(self, packet: Packet) -> _Lane:
        assert isinstance(packet.stream, VideoStream | AudioStream)  # noqa: S101  # only such were added
        return self._lanes[packet.stream]

    def _hand_on(self, lane: _Lane) -> None:
        data = lane.taken.take()
        if self._pmt:
            data = b"".join(self._merged(data, has_tables=lane is self._leader))
        if data:
            self._sink(data)

    def _merged(self, data: bytes, *, has_tables: bool) -> Iterator[bytes]:
        """Yield the packets of one stream, with the tables of the whole programme if it is to have them."""
        for start in range(0, len(data), PACKET):
            packet = data[start : start + PACKET]
            pid = pid_of(packet)
            if pid == PMT_PID and has_tables:
                yield packet[:_HEADER] + self._pmt[_HEADER:]
            elif pid not in TABLE_PIDS or has_tables:
                yield packet


class _Bytes:
    """Collects what a muxer writes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


@dataclass(frozen=True)
class _Lane:
    container: OutputContainer
    taken: _Bytes


def _pmt_of(streams: Iterable[VideoStream | AudioStream], packet: Packet) -> bytes:
    """Return the table that libavformat writes for all streams in one muxer, before a packet of one of them."""
    taken, own = _Bytes(), packet.stream
    with av.open(taken, mode="w", format="mpegts") as container:
        copies: dict[Stream, Stream] = {stream: container.add_stream_from_template(stream) for stream in streams}
        packet.stream = copies[own]
        try:
            container.mux(packet)
        finally:
            packet.stream = own
    data = taken.take()
    packets = (data[start : start + PACKET] for start in range(0, len(data), PACKET))
    return next(found for found in packets if pid_of(found) == PMT_PID)
