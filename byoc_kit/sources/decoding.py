"""Packets and pictures of a file or stream that may be damaged."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

logger = logging.getLogger(__name__)

_CAN_SKIP = {"h264", "hevc", "mpeg2video", "mpeg4"}  # the next picture on; others may only be told at the beginning


def video_decoder(container: InputContainer) -> VideoCodecContext:
    """Return the decoder of the first video."""
    decoder = container.streams.video[0].codec_context
    assert isinstance(decoder, VideoCodecContext)  # noqa: S101  # that of a video stream
    return decoder


def readable(container: InputContainer) -> Iterator[Packet]:
    """Yield the packets of the first video, the last one empty; ends where the file cannot be read on."""
    try:
        yield from container.demux(container.streams.video[0])
    except av.FFmpegError as error:
        logger.info("%s cannot be read to its end: %s", container.name, error.strerror)


def decoded(
    container: InputContainer, packets: Iterable[Packet], *, wanted: int | None = None
) -> Iterator[av.VideoFrame]:
    """Yield the pictures of packets of the first video; those that cannot be decoded are passed over.

    Of pictures before the time ``wanted`` only those that others refer to are sure to come.
    """
    decoder = video_decoder(container)
    skips = wanted is not None and decoder.name in _CAN_SKIP
    has_failed = False
    for packet in packets:
        if skips and wanted is not None:
            is_before = packet.pts is not None and packet.pts < wanted
            decoder.skip_frame = "NONREF" if is_before else "DEFAULT"
        try:
            pictures = packet.decode()
        except av.FFmpegError as error:
            if not has_failed:
                logger.info("%s: a picture cannot be decoded: %s", container.name, error.strerror)
            has_failed = True
            continue
        for picture in pictures:
            if isinstance(picture, av.VideoFrame):
                yield picture
