import io
import os
import queue
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_rig import Segments

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.access_units import access_units
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.decode import MediaError, open_stream, to_video_frame
from byoc_kit.media.encode import TIME_BASE, SegmentWriter

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"
PES_LIMIT = 204_800
STEP = 3000  # 30 frames a second


def chunks_of(pictures):
    """Encode pictures, and give the bytes of each."""
    chunks, segments = [], Segments()
    with SegmentWriter(segments, settings=MediaSettings(crf=1)) as writer:
        for number, pixels in enumerate(pictures):
            before = len(segments.whole)
            writer.write_frame(VideoFrame.from_pixels(pixels, pts=number * STEP, time_base=TIME_BASE))
            chunks.append(segments.whole[before:])
    return chunks


def stream_of(pictures):
    return b"".join(chunks_of(pictures))


def noise(count, width=640, height=360):
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def flat(count, width=64, height=36):
    return [np.full((height, width, 3), 40 + number, np.uint8) for number in range(count)]


@pytest.fixture(scope="module")
def large_stream():
    return stream_of(noise(3))


def packets_of(stream, *, whole):
    with open_stream(io.BytesIO(stream)) as container:
        packets = container.demux(container.streams.video[0])
        return [(packet.pts, bytes(packet)) for packet in (access_units(packets) if whole else packets)]


def test_a_frame_without_a_time_starts_at_zero():
    frame = to_video_frame(av.VideoFrame.from_ndarray(flat(1)[0], "rgb24"))
    assert (frame.pts, frame.time_base) == (0, Fraction(1, 90_000))


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 4000, CLIP.read_bytes()])
def test_input_that_is_no_mpeg_ts_is_refused(content):
    with pytest.raises(MediaError, match=r"the input is no MPEG-TS stream \([A-Z][a-z ]+\)"):
        open_stream(io.BytesIO(content))


def test_a_stream_gives_its_frames_with_their_times():
    with open_stream(io.BytesIO(stream_of(flat(5)))) as container:
        packets = access_units(container.demux(container.streams.video[0]))
        frames = [to_video_frame(frame) for packet in packets for frame in packet.decode()]
    assert [(frame.pts, frame.time_base) for frame in frames] == [(number * STEP, TIME_BASE) for number in range(5)]
    assert [abs(int(frame.pixels.mean()) - 40 - number) <= 2 for number, frame in enumerate(frames)] == [True] * 5


def test_once_open_a_stream_gives_each_picture_before_the_next_arrives():
    pictures = flat(30)
    read_end, write_end = os.pipe()
    decoded = queue.Queue()

    def decode():
        with os.fdopen(read_end, "rb", buffering=0) as reader, open_stream(reader) as container:
            for packet in access_units(container.demux(container.streams.video[0])):
                for picture in packet.decode():
                    decoded.put(picture.pts)

    decoder = threading.Thread(target=decode)
    decoder.start()
    *first, before_last, last = chunks_of(pictures)
    with os.fdopen(write_end, "wb", buffering=0) as writer:
        writer.write(b"".join(first))
        writer.write(before_last)
        in_time = [decoded.get(timeout=10) for _ in pictures[:-1]]
        writer.write(last)
    decoder.join(10)
    assert [*in_time, decoded.get_nowait()] == [number * STEP for number in range(len(pictures))]


def test_a_large_picture_that_the_demuxer_cuts_is_joined(large_stream):
    parts = packets_of(large_stream, whole=False)
    wholes = [packet for packet in packets_of(large_stream, whole=True) if packet[1]]
    assert len([pts for pts, _ in parts if pts is not None]) == 3
    assert len([data for _, data in parts if data]) > 3
    assert PES_LIMIT - 184 < max(len(data) for _, data in parts) <= PES_LIMIT
    assert [pts for pts, _ in wholes] == [0, STEP, 2 * STEP]
    assert min(len(data) for _, data in wholes) > PES_LIMIT
    assert b"".join(data for _, data in wholes) == b"".join(data for _, data in parts)


def test_a_joined_picture_decodes_to_what_a_parser_makes_of_it(large_stream):
    with open_stream(io.BytesIO(large_stream)) as container:
        packets = access_units(container.demux(container.streams.video[0]))
        joined = [frame.to_ndarray(format="rgb24") for packet in packets for frame in packet.decode()]
    with av.open(io.BytesIO(large_stream), format="mpegts") as container:
        parsed = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(joined) == 3
    assert np.array_equal(joined, parsed)


def test_hevc_with_wavefronts_is_decoded_to_its_end():
    data = io.BytesIO()
    with av.open(data, "w", format="mpegts") as container:
        stream = container.add_stream("libx265", rate=30, options={"x265-params": "wpp=1:ctu=16:log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for pixels in noise(10, 320, 180):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
    with open_stream(io.BytesIO(data.getvalue())) as container:
        assert container.streams.video[0].codec_context.thread_count == 1  # slice threads would hang, some times
        assert sum(len(packet.decode()) for packet in container.demux(video=0)) == 10
