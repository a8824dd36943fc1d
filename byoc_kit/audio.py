"""Sound: what ``process_audio`` takes and returns.

An ``AudioFrame`` is pytrickle's: ``samples`` is ``[channels, N]`` for planar formats such as ``fltp``, the decoder's
own for AAC (floats, -1..1), and ``[1, N * channels]`` for packed ones; ``rate`` is in Hz, ``layout`` is FFmpeg's name.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import torch

from byoc_kit.frames import AudioFrame, FrameError


def as_audio_frames(result: Any, source: AudioFrame) -> list[AudioFrame]:
    """Turn what ``process_audio`` returned into frames.

    Takes an ``AudioFrame``, samples shaped like the source's (an array or a tensor), a list of frames, or ``None``,
    which leaves silence out. Raises :class:`~byoc_kit.frames.FrameError` for anything else.
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

    Raises :class:`~byoc_kit.frames.FrameError` where the samples do not fit the format and layout; pytrickle's own
    conversion would send silence and go on.
    """
    samples = np.asarray(frame.samples)
    if samples.dtype.kind == "f" and frame.format in {"flt", "fltp", "dbl", "dblp"}:
        wanted = np.float32 if frame.format.startswith("flt") else np.float64
        samples = np.clip(np.nan_to_num(samples, nan=0.0), -1.0, 1.0).astype(wanted)
    try:
        converted = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=frame.format, layout=frame.layout)
    except (ValueError, TypeError, AssertionError) as error:
        shape = "x".join(map(str, samples.shape))
        msg = f"samples {samples.dtype} [{shape}] are no {frame.format} {frame.layout} sound: {error}"
        raise FrameError(msg) from None
    converted.sample_rate = frame.rate
    converted.pts, converted.time_base = frame.timestamp, frame.time_base
    return converted
