import io
from itertools import pairwise

import av
import pytest
from av.video.frame import PictureType

from benchmarks.source import PTS_PER_PICTURE, make_source
from byoc_kit.media.demux import MediaError


@pytest.fixture(scope="module")
def source(clip):
    return make_source(clip, seconds=6)


def test_a_short_clip_is_looped_with_times_that_run_on(source):
    assert [picture.pts for picture in source] == [90_000 + n * PTS_PER_PICTURE for n in range(180)]


def test_a_segment_begins_each_second(source):
    assert [number for number, picture in enumerate(source) if picture.begins_segment] == [0, 30, 60, 90, 120, 150]


def test_it_is_h264_without_b_frames_that_decodes_whole(source):
    data = b"".join(picture.data for picture in source)
    with av.open(io.BytesIO(data), format="mpegts") as container:
        [stream] = container.streams
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 1280, 720)
        frames = list(container.decode(video=0))
    assert [frame.pts for frame in frames] == [picture.pts for picture in source]
    assert {PictureType(frame.pict_type) for frame in frames} == {PictureType.I, PictureType.P}


def test_each_picture_is_its_own_bytes(source):
    assert all(picture.data and len(picture.data) % 188 == 0 for picture in source)


def test_the_sound_of_the_clip_runs_on_with_the_pictures(clip):
    source = make_source(clip, seconds=12, with_audio=True)
    with av.open(
        io.BytesIO(b"".join(picture.audio + picture.data for picture in source)), format="mpegts"
    ) as container:
        packets = [(packet.stream.type, packet.pts) for packet in container.demux() if packet.size]
    assert [pts for kind, pts in packets if kind == "video"] == [picture.pts for picture in source]
    times = [pts for kind, pts in packets if kind == "audio"]
    assert {after - before for before, after in pairwise(times)} == {1920}  # 1024 samples at 48 kHz
    assert (times[0], len(times)) == (90_000, 561)
    order = [pts for _, pts in packets]
    assert max(before - after for before, after in pairwise(order)) < 2 * PTS_PER_PICTURE


def test_a_clip_without_sound_is_refused_where_sound_is_wanted(clip, tmp_path):
    silent = tmp_path / "silent.mp4"
    with av.open(str(clip)) as source, av.open(str(silent), mode="w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                target.mux(packet)
    with pytest.raises(MediaError, match=r"silent\.mp4 has no sound; give another clip"):
        make_source(silent, seconds=1, with_audio=True)


def test_a_clip_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"there is no clip .*none\.mp4"):
        make_source(tmp_path / "none.mp4", seconds=1)
