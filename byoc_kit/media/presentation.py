"""From what a clip's decoder gives to the frames that a player shows."""

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

from byoc_kit.frames import VideoFrame
from byoc_kit.media.picture import DecodedPicture
from byoc_kit.media.video_file import decoder_of

_Filters: TypeAlias = tuple[tuple[str, str | None], ...]


def shown(stream: VideoStream, pictures: Iterable[av.VideoFrame]) -> Iterator[VideoFrame]:
    """Yield frames of decoded pictures, in order: upright, each with its time and its colours.

    The display matrix of the file or of the picture is applied. Pixels that are not square stay as they are stored, as
    on the network: ``origin.look.pixel_aspect`` says their shape.
    """
    decoder = decoder_of(stream)
    aspect = stream.sample_aspect_ratio or decoder.sample_aspect_ratio or Fraction(1)
    upright = _Upright()
    for picture in pictures:
        origin = DecodedPicture.of(picture, decoder)
        turned, is_on_its_side = upright.turn(picture)
        look = replace(origin.look, pixel_aspect=1 / aspect if is_on_its_side else aspect)
        time_base = picture.time_base or Fraction(1, 90_000)
        yield VideoFrame(None, picture.pts or 0, time_base, origin=replace(origin, frame=turned, look=look))


class _Upright:
    """Turns pictures as their display matrix says, to the nearest quarter, as ffmpeg does.

    A matrix that only turns a picture upside down in a mirror counts as none: PyAV tells of the angle alone.
    """

    def __init__(self) -> None:
        self._filters: dict[int, _Filters] = {0: ()}
        self._turner: _Turner | None = None

    def turn(self, picture: av.VideoFrame) -> tuple[av.VideoFrame, bool]:
        """Return a picture upright, and whether it lay on its side."""
        angle = picture.rotation
        if angle not in self._filters:
            # Not for each picture: once asked for, its side data keep it until the garbage collector comes.
            self._filters[angle] = _filters_of(picture)
        filters = self._filters[angle]
        if not filters:
            return picture, False
        if self._turner is None or not self._turner.fits(picture, filters):
            self._turner = _Turner(picture, filters)
        return self._turner.turn(picture), filters[0][0] == "transpose"


def _filters_of(picture: av.VideoFrame) -> _Filters:
    matrix = cast("Mapping[str, Buffer]", picture.side_data)["DISPLAYMATRIX"]  # without one there would be no angle
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


class _Turner:
    """Turns pictures of one size and format."""

    def __init__(self, picture: av.VideoFrame, filters: _Filters) -> None:
        self._fits = picture.width, picture.height, picture.format.name, filters
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

    def fits(self, picture: av.VideoFrame, filters: _Filters) -> bool:
        """Whether it turns such pictures, and so."""
        return self._fits == (picture.width, picture.height, picture.format.name, filters)

    def turn(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return a picture turned."""
        self._source.push(picture)
        turned = self._sink.pull()
        assert isinstance(turned, av.VideoFrame)  # noqa: S101  # what a graph of pictures gives
        return turned
