from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from byoc_kit.core.audio import as_audio_frames, from_av_audio, to_av_audio
from byoc_kit.core.frames import AudioFrame
from byoc_kit.core.pixels import FrameError


def sound(samples=None, *, format="fltp", layout="stereo"):  # noqa: A002
    frame = AudioFrame.from_tensor(torch.zeros(2, 8), format="fltp", layout="stereo", timestamp=77)
    frame.samples = np.zeros((2, 8), np.float32) if samples is None else samples
    frame.format, frame.layout = format, layout
    return frame


def test_nothing_is_silence_and_a_frame_is_itself():
    source = sound()
    assert as_audio_frames(None, source) == []
    assert as_audio_frames(source, source) == [source]
    assert as_audio_frames([source, None, (source,)], source) == [source, source]


@pytest.mark.parametrize(
    "samples", [np.ones((2, 8), np.float32), torch.ones(2, 8), torch.ones(2, 8, requires_grad=True)]
)
def test_samples_become_a_frame_with_the_time_of_the_source(samples):
    [frame] = as_audio_frames(samples, sound())
    assert (frame.timestamp, frame.rate, frame.layout) == (77, 48_000, "stereo")
    assert frame.samples.min() == 1


def test_loud_and_broken_samples_are_clamped_and_silent():
    samples = np.tile(np.float64([-7, -1, 0.5, 7, np.nan, np.inf, -np.inf, 0]), (2, 1))
    converted = to_av_audio(sound(samples))
    assert converted.to_ndarray()[0].tolist() == [-1, -1, 0.5, 1, 0, 1, -1, 0]
    assert (converted.pts, converted.sample_rate, converted.format.name) == (77, 48_000, "fltp")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("loud", "must return an AudioFrame, samples, a list of frames or None, not str"),
        (np.zeros((3, 8), np.float32), r"samples float32 \[3x8\] are not fltp stereo sound"),
        (np.zeros((2, 8), np.int16), r"samples int16 \[2x8\] are not fltp stereo sound"),
        (np.zeros(8, np.float32), r"samples float32 \[8\] are not fltp stereo sound"),
    ],
)
def test_what_is_no_sound_is_refused_in_a_sentence(result, text):
    with pytest.raises(FrameError, match=text):
        as_audio_frames(result, sound())


LAYOUTS = ["mono", "stereo", "2.1", "quad", "5.1", "5.1(side)", "6.1", "7.1", "7.1(wide)", "hexadecagonal"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("format_", ["flt", "fltp", "s16p"])
def test_sound_of_any_layout_goes_through_with_its_samples(layout, format_):
    channels = av.AudioLayout(layout).nb_channels
    sent = np.arange(channels * 64, dtype=np.float32).reshape(channels, 64) / 2048
    packed = av.AudioFrame.from_ndarray(sent.T.reshape(1, -1).copy(), "flt", layout)
    packed.sample_rate, packed.pts, packed.time_base = 48_000, 77, Fraction(1, 90_000)
    [decoded] = av.AudioResampler(format_).resample(packed)
    decoded.pts, decoded.time_base = 77, Fraction(1, 90_000)
    frame = from_av_audio(decoded)
    assert (frame.layout, frame.format, frame.timestamp) == (layout, format_, 77)
    assert frame.samples.shape == ((1, channels * 64) if format_ == "flt" else (channels, 64))
    [again] = av.AudioResampler("flt").resample(to_av_audio(frame))
    assert again.layout.name == layout
    assert pytest.approx(sent, abs=1e-4) == again.to_ndarray().reshape(-1, channels).T


def test_eight_channels_for_another_layout_are_refused():
    with pytest.raises(FrameError, match=r"samples float32 \[8x8\] are not fltp stereo sound"):
        to_av_audio(sound(np.zeros((8, 8), np.float32)))
    with pytest.raises(FrameError, match=r"samples float32 \[2x8\] are not fltp 7\.1 sound"):
        to_av_audio(sound(layout="7.1"))
