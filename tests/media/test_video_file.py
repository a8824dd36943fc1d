import wave

import av
import pytest
from numbered_clips import make_clip, numbers, picture
from PIL import Image

from byoc_kit.media.clip import Clip
from byoc_kit.media.decode import MediaError
from byoc_kit.media.video_file import open_clip, video_stream

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
