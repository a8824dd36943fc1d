"""Pictures and sound that belong together come out together: flashes and beeps, as a broadcaster tests it."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from server_rig import until

from byoc_kit.media.paced_clip import live_clip

RATE, SAMPLE_RATE = 25, 48_000
EVENTS_S = [0.4, 1.2, 2.0, 2.8]
LENGTH_S = 3.6
FLASH_S = 0.2
TOLERANCE_S = 0.005  # an AAC frame too early or late would be 0.021


def is_on(time_s):
    return any(0 <= time_s - event_s < FLASH_S - 1e-6 for event_s in EVENTS_S)


@pytest.fixture(scope="module")
def flashes_and_beeps(tmp_path_factory):
    """A clip that is white, and beeps at 1 kHz, for 0.2 s at each event, and else black and silent."""
    path = tmp_path_factory.mktemp("sync") / "flashes.mp4"
    with av.open(str(path), mode="w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"tune": "zerolatency", "crf": "10"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE)
        for number in range(round(LENGTH_S * RATE)):
            level = 255 if is_on(number / RATE) else 0
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(picture))
        times_s = np.arange(round(LENGTH_S * SAMPLE_RATE)) / SAMPLE_RATE
        loud = np.sin(2 * np.pi * 1000 * times_s) * 0.5 * [is_on(time_s) for time_s in times_s]
        for start in range(0, len(loud) - 1024, 1024):
            samples = np.tile(loud[start : start + 1024].astype(np.float32), (2, 1))
            sound = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            sound.pts, sound.sample_rate, sound.time_base = start, SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(sound))
        container.mux([*video.encode(None), *audio.encode(None)])
    return live_clip(path)


def onsets(times_s, levels, threshold):
    """Return when each event begins: the first of a stretch of levels above the threshold."""
    found, was_on = [], False
    for time_s, level in zip(times_s, levels, strict=True):
        if level > threshold and not was_on:
            found.append(time_s)
        was_on = level > threshold
    return found


def flashes_s(data):
    with av.open(io.BytesIO(data), format="mpegts") as container:
        frames = [(float(frame.time), frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    return onsets(*zip(*frames, strict=True), threshold=128)


def beeps_s(data):
    times_s, levels = [], []
    with av.open(io.BytesIO(data), format="mpegts") as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray()[0])
            for start in range(0, len(samples) - 47, 48):  # a turn of the tone
                times_s.append(float(frame.time) + start / SAMPLE_RATE)
                levels.append(samples[start : start + 48].max())
    held = [max(levels[max(0, at - 10) : at + 1]) for at in range(len(levels))]  # a dip of some ms is no end
    return onsets(times_s, held, threshold=0.25)


def test_the_measure_itself_sees_what_the_clip_has(flashes_and_beeps):
    flashes, beeps = flashes_s(flashes_and_beeps.data), beeps_s(flashes_and_beeps.data)
    assert np.diff(flashes) == pytest.approx(np.diff(EVENTS_S), abs=1e-3)
    assert beeps == pytest.approx(flashes, abs=TOLERANCE_S)


@pytest.mark.parametrize("hooks", [{}, {"process_audio": lambda frame: frame}], ids=["untouched", "process_audio"])
async def test_flashes_and_beeps_come_out_together(rig, flashes_and_beeps, hooks):
    async with rig(lambda frame: frame.pixels, **hooks) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        received = await it.stream(it.start_body(), flashes_and_beeps)
    flashes, beeps = flashes_s(received.data), beeps_s(received.data)
    assert len(flashes) == len(EVENTS_S)
    assert beeps == pytest.approx(flashes, abs=TOLERANCE_S)
