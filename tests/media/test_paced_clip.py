from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from byoc_kit.media.clip import read_clip
from byoc_kit.media.demux import MediaError
from byoc_kit.media.mp4 import save_mp4
from byoc_kit.media.paced_clip import live_clip

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"


@pytest.fixture(scope="module")
def live():
    return live_clip(CLIP)


def test_a_live_clip_holds_the_very_pictures_of_the_file(live):
    sent = list(live.frames())
    assert [frame.pts for frame in sent] == list(live.picture_times_s)
    assert len(sent) == 132
    for frame, original in zip(sent, read_clip(CLIP), strict=True):
        assert (frame.pixels == original.pixels).all()


def test_pictures_are_due_at_the_clip_s_own_pace(live):
    due_s = list(live.picture_times_s.values())
    assert due_s[0] == 0
    assert due_s == pytest.approx([number / 25 for number in range(132)], abs=0.001)


def test_until_cuts_a_clip_short(live):
    clip = live.until(1.0)
    assert len(clip.picture_times_s) == 25
    assert clip.duration_s < 1


def test_only_key_frames_begin_segments(live):
    chunks = live.chunks
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
    assert clip.notes == ("motion.avi: its frames are encoded again, losslessly, since MPEG-TS does not carry mjpeg",)
    assert [chunk.begins_segment for chunk in clip.chunks].count(True) == 2  # one a second


def test_a_file_without_video_is_refused(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        container.add_stream("pcm_s16le", rate=8000)
    with pytest.raises(MediaError, match=r"sound\.wav"):
        live_clip(path)


def with_audio(path, codec):
    """Write two seconds of video that MPEG-TS does not carry, with sound."""
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("mpeg4", rate=25), container.add_stream(codec, rate=48_000, layout="stereo")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(50):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), "rgb24")
            container.mux(video.encode(picture))
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 96_000), np.int16), "s16", "stereo")
        samples.rate = 48_000
        container.mux(sound.encode(samples))
        container.mux([*video.encode(None), *sound.encode(None)])
    return path


def test_sound_is_sent_with_frames_that_are_encoded_again(tmp_path):
    clip = live_clip(with_audio(tmp_path / "a.mp4", "aac"))
    save_mp4(clip.data, tmp_path / "sent.mp4")
    with av.open(str(tmp_path / "sent.mp4")) as sent:
        assert [stream.codec_context.name for stream in sent.streams] == ["h264", "aac"]
        assert (
            float(
                sum(packet.duration for packet in sent.demux(audio=0) if packet.size) * sent.streams.audio[0].time_base
            )
            > 1.9
        )


def test_sound_that_mpegts_does_not_carry_is_left_out_and_said(tmp_path):
    clip = live_clip(with_audio(tmp_path / "a.mkv", "pcm_s16le"))
    assert len(list(clip.frames())) == 50
    assert clip.notes[-1] == "a.mkv: its sound is not sent, since MPEG-TS does not carry the codec"
