import io
import os
import queue
import threading
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from media_rig import Segments
from numbered_clips import make_clip, numbers, picture
from PIL import Image

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.access_units import access_units
from byoc_kit.media.clip import Clip
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.demux import MediaError, open_clip, open_stream, video_stream
from byoc_kit.media.encode import TIME_BASE, SegmentWriter

# Live MPEG-TS

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


# Video files

SOUND = {"rate": 8000, "layout": "mono"}


def add_cover(source, target, *, with_video=True, first=False):
    """Copy a clip, with a cover picture besides, in front of the video or behind it."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as output:
        video = clip.streams.video[0]
        cover = output.add_stream("mjpeg") if first else None
        copy = output.add_stream_from_template(video, opaque=True) if with_video else None
        cover = cover or output.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        if not with_video:
            output.add_stream("aac", **SOUND)
        output.mux(cover.encode(av.VideoFrame(640, 480, "yuvj420p")))
        output.mux(cover.encode(None))
        for packet in clip.demux(video) if with_video else ():
            if packet.size:
                packet.stream = copy
                output.mux(packet)
    return target


@pytest.fixture
def plain(tmp_path):
    return make_clip(tmp_path / "plain.mp4", count=5)


@pytest.mark.parametrize("first", [True, False])
def test_a_cover_picture_is_not_the_video(plain, tmp_path, first):
    path = add_cover(plain, tmp_path / "covered.mp4", first=first)
    with open_clip(path) as container:
        assert len(container.streams.video) == 2
        assert video_stream(container).codec_context.name == "h264"
    assert numbers(Clip(path).frames()) == list(range(5))


def test_a_file_with_a_cover_picture_and_sound_is_no_video(plain, tmp_path):
    path = add_cover(plain, tmp_path / "song.mp4", with_video=False)
    with pytest.raises(MediaError) as raised:
        open_clip(path)
    assert str(raised.value) == f"{path} has a cover picture, but no video stream; give a file with one"


def test_of_several_videos_the_one_marked_as_default_is_read(tmp_path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 192, 108, "yuv420p"
        streams[1].disposition = av.stream.Disposition.default.value
        for stream, number in zip(streams, (3, 9), strict=True):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")))
            output.mux(stream.encode(None))
    assert numbers(Clip(path).frames()) == [9]


@pytest.mark.parametrize("name", ["12:30:00.mp4", "http:clip.mp4", "a,b;c.mp4", "-.mp4", "file:x.mkv", "ünï çødé.ts"])
def test_any_name_of_a_file_may_be_given_relative(tmp_path, monkeypatch, name):
    make_clip(tmp_path / "made.mkv", count=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers(Clip(name).frames()) == [0, 1, 2]


def test_a_picture_may_have_a_percent_sign_in_its_name(tmp_path):
    path = tmp_path / "100%d.png"
    Image.fromarray(picture(7)).save(path)
    assert numbers(Clip(path).frames()) == [7]


def test_a_missing_clip_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "no.mp4"
    with pytest.raises(MediaError) as raised:
        open_clip(path)
    assert str(raised.value) == f"there is no clip {path}; give the path of a video file"


def test_a_folder_is_no_clip(tmp_path):
    with pytest.raises(MediaError, match="there is no clip"):
        open_clip(tmp_path)


def test_an_empty_file_is_reported_as_empty(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(MediaError) as raised:
        open_clip(path)
    assert str(raised.value) == f"{path} is empty; give the path of a video file"


@pytest.mark.parametrize("content", [b"no video", bytes(range(256)) * 1000])
def test_a_file_that_is_no_video_is_named(tmp_path, content):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"bad\.mp4 is no video file, or damaged at its start \(.+\); give the"):
        open_clip(path)


def test_half_of_an_mp4_is_no_video(plain):
    plain.write_bytes(plain.read_bytes()[:-2000])
    with pytest.raises(MediaError, match=r"plain\.mp4 is no video file, or damaged at its start \(.+\); give the"):
        open_clip(plain)


def test_a_file_with_sound_only_is_named(tmp_path):
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16_000))
    with pytest.raises(MediaError, match=r"sound\.wav has no video stream; give a file with one"):
        open_clip(path)


def test_hevc_with_wavefronts_is_decoded_without_slice_threads_which_may_hang(tmp_path):
    path = make_clip(tmp_path / "a.mp4", "libx265", count=5, options={"x265-params": "wpp=1:ctu=16:log-level=none"})
    with open_clip(path) as container:
        assert container.streams.video[0].codec_context.thread_count == 1
    with open_clip(path, is_quick=True) as container:
        assert container.streams.video[0].codec_context.thread_type.name == "FRAME"
    assert numbers(Clip(path).frames()) == list(range(5))
