"""MPEG-TS with sound as it is met in the wild."""

import io
from fractions import Fraction

import av
import numpy as np

RATE = 48_000
_PICTURES_PER_S = 30


def sound_clip(codec, *, layout="stereo", seconds=2, max_delay_us=0):
    """Make the bytes of a clip with a tone of 440 Hz in each channel, and small pictures.

    With a ``max_delay_us`` of 700,000, as the ffmpeg command has it, several frames share a PES packet.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="mpegts", options={"max_delay": str(max_delay_us)}) as container:
        video = container.add_stream("libx264", rate=_PICTURES_PER_S, options={"tune": "zerolatency"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=RATE)
        audio.layout = layout
        resampler = av.AudioResampler(audio.codec_context.format, layout)
        samples = RATE // _PICTURES_PER_S
        for number in range(seconds * _PICTURES_PER_S):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, _PICTURES_PER_S)
            at = (number * samples + np.arange(samples)) / RATE
            tone = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
            channels = av.AudioLayout(layout).nb_channels
            sound = av.AudioFrame.from_ndarray(tone.repeat(channels)[None], format="flt", layout=layout)
            sound.sample_rate, sound.pts, sound.time_base = RATE, number * samples, Fraction(1, RATE)
            container.mux(video.encode(picture))
            for part in resampler.resample(sound):
                container.mux(audio.encode(part))
        container.mux([*video.encode(None), *audio.encode(None)])
    return out.getvalue()
