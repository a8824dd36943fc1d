import numpy as np
import pytest
import torch

from byoc_kit.audio import as_audio_frames, to_av_audio
from byoc_kit.frames import AudioFrame, FrameError


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
        (np.zeros((3, 8), np.float32), r"samples float32 \[3x8\] are no fltp stereo sound"),
        (np.zeros((2, 8), np.int16), r"samples int16 \[2x8\] are no fltp stereo sound"),
        (np.zeros(8, np.float32), r"samples float32 \[8\] are no fltp stereo sound"),
    ],
)
def test_what_is_no_sound_is_refused_in_a_sentence(result, text):
    with pytest.raises(FrameError, match=text):
        as_audio_frames(result, sound())
