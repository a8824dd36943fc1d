"""Makes the frames that a player shows from the pictures of a clip's decoder: upright, with times and colours."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from math import atan2, degrees, hypot
from typing import TypeAlias, cast

import av
from av.buffer import Buffer
from av.filter import Graph
from av.video.stream import VideoStream

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.demux import decoder_of
from byoc_kit.media.picture import DecodedPicture

Turn: TypeAlias = tuple[tuple[str, str | None], ...]
"""Filters, by name and option, that turn a picture upright; empty if it is upright."""


def shown(stream: VideoStream, pictures: Iterable[av.VideoFrame], turn: Turn) -> Iterator[VideoFrame]:
    """Yield a frame for each decoded picture, in order: upright, with its time and its colours.

    Pixels that are not square stay as stored, as on the network; ``origin.display.pixel_aspect`` is their shape.
    """
    decoder = decoder_of(stream)
    aspect = stream.sample_aspect_ratio or decoder.sample_aspect_ratio or Fraction(1)
    if _is_on_its_side(turn):
        aspect = 1 / aspect
    filters: _Filters | None = None
    for picture in pictures:
        origin = DecodedPicture.of(picture, decoder)
        if turn:
            if filters is None or not filters.fit(picture):
                filters = _Filters(picture, turn)
            origin = replace(origin, frame=filters.apply(picture))
        origin = replace(origin, display=replace(origin.display, pixel_aspect=aspect))
        yield VideoFrame(None, picture.pts or 0, picture.time_base or Fraction(1, 90_000), origin=origin)


def _is_on_its_side(turn: Turn) -> bool:
    """Whether a turn makes columns into rows."""
    return bool(turn) and turn[0][0] == "transpose"


def turn_of(picture: av.VideoFrame) -> Turn:
    """Return the filters that turn a video upright, by the display matrix of its first picture, in quarter turns.

    They are the filters that ffmpeg uses. A matrix that only mirrors the picture upside down has no angle, and so no
    effect.
    """
    if not picture.rotation:
        return ()
    # A picture whose side data was read lives until the garbage collector runs, with all of its decoder's memory, 20 MB
    # at 720p. So the side data of a small copy is read.
    small = _Filters(picture, (("scale", "16:16"),)).apply(picture)
    matrix = cast("Mapping[str, Buffer]", small.side_data)["DISPLAYMATRIX"]  # it has one, since it has an angle
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    if not (hypot(a, c) and hypot(b, d)):
        return ()
    quarters = round(degrees(atan2(b / hypot(b, d), a / hypot(a, c))) / 90) % 4
    if quarters == 1:
        return (("transpose", "cclock_flip" if c > 0 else "clock"),)
    if quarters == 3:
        return (("transpose", "clock_flip" if c < 0 else "cclock"),)
    mirrored = (("hflip", None),) if quarters == 2 and a < 0 else ()
    return (*mirrored, ("vflip", None)) if d < 0 else mirrored


class _Filters:
    """Applies filters, which return one picture for each, to pictures of one size and format."""

    def __init__(self, picture: av.VideoFrame, filters: Turn) -> None:
        self._fits = picture.width, picture.height, picture.format.name
        self._graph = Graph()
        self._source = self._graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 90_000)
        )
        last = self._source
        for name, option in filters:
            following = self._graph.add(name, option)
            last.link_to(following)
            last = following
        self._sink = self._graph.add("buffersink")
        last.link_to(self._sink)
        self._graph.configure()

    def fit(self, picture: av.VideoFrame) -> bool:
        """Whether the filters are for pictures of this size and format."""
        return self._fits == (picture.width, picture.height, picture.format.name)

    def apply(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the filtered picture."""
        self._source.push(picture)
        filtered = self._sink.pull()
        assert isinstance(filtered, av.VideoFrame)  # noqa: S101  # a graph of pictures gives pictures
        return filtered
