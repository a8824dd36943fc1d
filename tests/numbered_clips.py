"""Clips whose pictures carry their number, made as a test needs them: codecs, containers, cuts and damage."""

from fractions import Fraction

import av
import numpy as np

from byoc_kit.sources.synthetic import read_number, write_number

WIDTH, HEIGHT, RATE, GOP = 192, 108, 25, 8
MILLISECONDS = Fraction(1, 1000)


def picture(number, width=WIDTH, height=HEIGHT):
    """Return pixels that move, with a number in them."""
    ramp = (np.add.outer(np.arange(height), np.arange(width) + 3 * number) % 256).astype(np.uint8)
    pixels = np.repeat(ramp[..., None], 3, axis=2)
    write_number(pixels, number)
    return pixels


def make_clip(
    path,
    codec="libx264",
    *,
    count=30,
    pixel_format="yuv420p",
    options=None,
    b_frames=0,
    time_ms=None,
    mux=None,
    first=0,
    aspect=None,
):
    """Encode ``count`` numbered pictures, 8 a group; ``time_ms`` gives each one's time, by default 40 ms apart.

    ``aspect`` is the shape of a pixel, by default square.
    """
    with av.open(str(path), "w", options=mux or {}) as container:
        stream = container.add_stream(codec, rate=RATE, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        encoder = stream.codec_context
        encoder.gop_size, encoder.max_b_frames = GOP, b_frames
        if aspect is not None:
            encoder.sample_aspect_ratio = aspect
        encoder.time_base = MILLISECONDS if time_ms else Fraction(1, RATE)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(first + number), "rgb24").reformat(WIDTH, HEIGHT, pixel_format)
            frame.pts, frame.time_base = time_ms(number) if time_ms else number, encoder.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets_of(path):
    """Return what each packet of the video says: (pts, is a key frame, is to be discarded, position, size)."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return [(packet.pts, packet.is_keyframe, packet.is_discard, packet.pos, packet.size) for packet in packets]


def copy_from(source, target, number):
    """Copy a clip from a picture on, as ``ffmpeg -ss ... -c copy`` does: what the picture needs has negative times."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as copy:
        video = clip.streams.video[0]
        stream = copy.add_stream_from_template(video, opaque=True)
        shift = round(number / RATE / video.time_base)
        clip.seek(shift, stream=video)
        for packet in clip.demux(video):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                copy.mux(packet)
    return target


def turn(path, matrix):
    """Write a display matrix, (a, b, c, d), into the header of an MP4's track (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (value << 16 for value in matrix)
    begin = content.index(b"tkhd") + 44
    values = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    content[begin : begin + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(content)
    return path


def damage(path, number):
    """Overwrite the data of the packet of that place, but for its beginning, with what is no video."""
    content = bytearray(path.read_bytes())
    _, _, _, position, size = packets_of(path)[number]
    content[position + 4 : position + size] = bytes([0xFF]) * (size - 4)
    path.write_bytes(content)


def decoded_straight(path):
    """Return the pixels of every picture that plain decoding from the start gives."""
    pictures = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                pictures += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
            except av.FFmpegError:
                continue
    return pictures


def numbers(frames):
    return [read_number(frame.pixels) for frame in frames]
