"""Sound: what ``process_audio`` takes and returns.

An ``AudioFrame`` is pytrickle's. ``samples`` is ``[channels, N]`` for planar formats, and ``[1, N * channels]`` for
packed ones. AAC is decoded to ``fltp``, which is planar: floats of -1..1. ``rate`` is in Hz, and ``layout`` is the name
that FFmpeg uses.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import torch
from av.audio.resampler import AudioResampler

from byoc_kit.core.frames import AudioFrame
from byoc_kit.core.pixels import FrameError

# With this many planes, PyAV 14.2 reads past the end of the frame's memory, and the process dies.
_TOO_MANY_PLANES = 8


def from_av_audio(audio: av.AudioFrame) -> AudioFrame:
    """Wrap decoded audio. Raises ``FrameError`` for a sample format that numpy does not have."""
    channels = audio.layout.nb_channels
    try:
        if not audio.format.is_planar or channels < _TOO_MANY_PLANES:
            return AudioFrame(audio)
        (packed,) = AudioResampler(audio.format.packed).resample(audio)
        frame = AudioFrame(packed)
    except ValueError as error:  # also the base of PyAV's errors for FFmpeg
        msg = f"{audio.format.name} {audio.layout.name} sound cannot be read: {error}"
        raise FrameError(msg) from error
    frame.samples, frame.format = np.ascontiguousarray(frame.samples.reshape(-1, channels).T), audio.format.name
    frame.timestamp, frame.time_base = audio.pts, audio.time_base
    return frame


def as_audio_frames(result: Any, source: AudioFrame) -> list[AudioFrame]:
    """Turn what ``process_audio`` returned into frames.

    It may be an ``AudioFrame``, samples shaped like the source's (an array or a tensor), a list of frames, or ``None``,
    which sends no sound. Raises ``FrameError`` for anything else.
    """
    if result is None:
        return []
    if isinstance(result, list | tuple):
        return [frame for one in result for frame in as_audio_frames(one, source)]
    if isinstance(result, torch.Tensor):
        result = result.detach().cpu().numpy()
    if isinstance(result, np.ndarray):
        result = source.replace_samples(result)
    if not isinstance(result, AudioFrame):
        msg = f"process_audio must return an AudioFrame, samples, a list of frames or None, not {type(result).__name__}"
        raise FrameError(msg)
    to_av_audio(result)
    return [result]


def to_av_audio(frame: AudioFrame) -> av.AudioFrame:
    """Return a frame as PyAV encodes it: floating samples clamped to -1..1, NaN as silence.

    Raises ``FrameError`` if the samples do not fit the format and layout. pytrickle's own conversion would send silence
    instead.
    """
    samples = np.asarray(frame.samples)
    if samples.dtype.kind == "f" and frame.format in {"flt", "fltp", "dbl", "dblp"}:
        wanted = np.float32 if frame.format.startswith("flt") else np.float64
        samples = np.clip(np.nan_to_num(samples, nan=0.0), -1.0, 1.0).astype(wanted)
    format_ = frame.format
    try:
        channels = av.AudioLayout(frame.layout).nb_channels
        if channels >= _TOO_MANY_PLANES and samples.shape[:-1] == (channels,) and av.AudioFormat(format_).is_planar:
            samples, format_ = samples.T.reshape(1, -1), av.AudioFormat(format_).packed.name
        converted = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=format_, layout=frame.layout)
    except (ValueError, TypeError, AssertionError) as error:
        shape = "x".join(map(str, samples.shape))
        msg = f"samples {samples.dtype} [{shape}] are not {frame.format} {frame.layout} sound: {error}"
        raise FrameError(msg) from None
    converted.sample_rate = frame.rate
    converted.pts, converted.time_base = frame.timestamp, frame.time_base
    return converted
