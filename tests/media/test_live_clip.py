from fractions import Fraction
from pathlib import Path

import av
import pytest

from byoc_kit.media.clip import read_clip
from byoc_kit.media.decode import MediaError
from byoc_kit.media.live_clip import live_clip, save_mp4

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"


def test_a_live_clip_holds_the_very_pictures_of_the_file():
    clip = live_clip(CLIP)
    sent = list(clip.frames())
    assert [frame.pts for frame in sent] == list(clip.picture_times_s)
    assert len(sent) == 132
    for frame, original in zip(sent, read_clip(CLIP), strict=True):
        assert (frame.pixels == original.pixels).all()


def test_pictures_are_due_at_the_clip_s_own_pace():
    due_s = list(live_clip(CLIP).picture_times_s.values())
    assert due_s[0] == 0
    assert due_s == pytest.approx([number / 25 for number in range(132)], abs=0.001)


def test_until_cuts_a_clip_short():
    clip = live_clip(CLIP).until(1.0)
    assert len(clip.picture_times_s) == 25
    assert clip.duration_s < 1


def test_only_key_frames_begin_segments():
    chunks = live_clip(CLIP).chunks
    assert [chunk.begins_segment for chunk in chunks].count(True) == 1  # the clip is one group of pictures
    assert chunks[0].begins_segment


def test_a_codec_that_mpegts_does_not_carry_is_encoded(tmp_path):
    path = tmp_path / "motion.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuvj420p"
        for index, frame in enumerate(read_clip(CLIP, width=160)):
            if index == 30:
                break
            picture = av.VideoFrame.from_ndarray(frame.pixels, "rgb24").reformat(160, 120, "yuvj420p")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    clip = live_clip(path)
    assert len(list(clip.frames())) == 30
    assert clip.notes == (
        "motion.avi: its frames are sent encoded anew, losslessly, since MPEG-TS does not carry mjpeg",
    )
    assert [chunk.begins_segment for chunk in clip.chunks].count(True) == 2  # one a second


def test_saved_mp4_keeps_pictures_and_sound(tmp_path):
    path = tmp_path / "out.mp4"
    save_mp4(live_clip(CLIP).data, path)
    assert len(list(read_clip(path))) == 132
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]


def test_a_file_without_video_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        container.add_stream("pcm_s16le", rate=8000)
    with pytest.raises(MediaError, match=r"sound\.wav"):
        live_clip(path)
