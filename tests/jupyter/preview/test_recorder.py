import subprocess
import sys
import threading
from contextlib import suppress

import av
import numpy as np
import pytest

from byoc_kit.core.frames import VideoFrame
from byoc_kit.jupyter.preview.recorder import Recorder, RecordingError
from byoc_kit.media.clip import read_clip

pytestmark = pytest.mark.slow

DEADLINE_S = 20


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recorder(tmp_path, clock):
    recorder = Recorder(tmp_path, "take", fps=25, clock=clock)
    yield recorder
    with suppress(RecordingError):  # the test has seen it
        recorder.close()


@pytest.fixture
def add(recorder, clock):
    """Add a frame, so many seconds after the first, as soon as there is room for it."""

    def add(time_s, source, output):
        queue = recorder._queue
        with queue.not_full:
            assert queue.not_full.wait_for(lambda: queue._qsize() < queue.maxsize, DEADLINE_S)
        clock.now_s = 1000 + time_s
        recorder.add(source, output)

    return add


def grey(value, width=64, height=48):
    return VideoFrame.from_pixels(np.full((height, width, 3), value, np.uint8))


def read(path):
    """Return each picture's time in seconds and its mean brightness."""
    return [(round(frame.time_s, 3), round(float(frame.pixels.mean()))) for frame in read_clip(path)]


def times(path):
    return [time_s for time_s, _ in read(path)]


def values(path):
    return [value for _, value in read(path)]


def close_to(wanted):
    return pytest.approx(wanted, abs=3)  # x264 loses a little


def test_frames_play_at_the_pace_they_came_whatever_their_own_times_say(recorder, add):
    came_s = [0, 0.04, 0.08, 3.5, 3.54, 3.54]  # a pause, then two at once
    own_pts = [0, 3600, 7200, 0, 3600, 3600]  # a loop of the clip, and a picture held
    for number, (time_s, pts) in enumerate(zip(came_s, own_pts, strict=True)):
        source = VideoFrame.from_pixels(grey(20 * number + 20).pixels, pts)
        add(time_s, source, source.replace(pixels=255 - source.pixels))
    recording = recorder.close()
    assert (recording.frames, recording.dropped) == (6, 0)
    assert recording.duration_s == pytest.approx(3.58, abs=1e-3)
    assert times(recording.input) == times(recording.output) == [0, 0.04, 0.08, 3.5, 3.54, 3.54]
    assert values(recording.input) == close_to([20, 40, 60, 80, 100, 120])
    assert values(recording.output) == close_to([235, 215, 195, 175, 155, 135])
    for path in (recording.input, recording.output):
        with av.open(str(path)) as container:
            assert container.duration / av.time_base == pytest.approx(recording.duration_s, abs=1e-3)


def test_a_browser_can_play_it(recorder, add):
    for number in range(60):
        add(number / 25, grey(number), grey(number))
    recording = recorder.close()
    for path in (recording.input, recording.output):
        data = path.read_bytes()
        assert data[4:8] == b"ftyp"
        assert data.index(b"moov") < data.index(b"mdat")
        assert b"moof" not in data
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            keys = [float(p.pts * p.time_base) for p in container.demux(stream) if p.is_keyframe and p.dts is not None]
        assert keys == pytest.approx([0, 1, 2])  # so that it can be searched


def test_a_withheld_frame_leaves_the_picture_before_it(recorder, add):
    for number, output in enumerate([None, None, grey(100), None, grey(200), None]):
        add(number, grey(50), output)
    recording = recorder.close()
    assert times(recording.input) == [0, 1, 2, 3, 4, 5]
    assert times(recording.output) == [0, 2, 4, 5]
    assert values(recording.output) == close_to([0, 100, 200, 200])


def test_nothing_but_withheld_frames_is_black(recorder, add):
    for number in range(3):
        add(number, grey(50, width=33), None)
    recording = recorder.close()
    assert read(recording.output) == [(0, 0), (2, 0)]
    assert next(read_clip(recording.output)).width == 32


def test_odd_sizes_lose_a_line_and_others_are_scaled_to_the_first(recorder, add):
    for number, (width, height) in enumerate([(65, 49), (64, 48), (32, 24), (2, 3), (200, 100)]):
        add(number, grey(50, width, height), grey(20 * number + 100, width, height))
    recording = recorder.close()
    for path in (recording.input, recording.output):
        assert {(frame.width, frame.height) for frame in read_clip(path)} == {(64, 48)}
    assert values(recording.output) == close_to([100, 120, 140, 160, 180])


def test_the_input_is_what_came_in(recorder, clip, add):
    before = []
    for number, frame in enumerate(read_clip(clip)):
        before.append(round(float(frame.original().pixels.mean())))
        given = frame.original()
        given.tensor.mul_(0)
        add(number, given, given)
    kept = VideoFrame.from_pixels(grey(90, 96, 64).pixels.copy())
    kept.pixels[:] = 0
    add(10, kept, kept)
    recording = recorder.close()
    assert values(recording.input) == close_to([*before, 90])
    assert values(recording.output) == close_to([0] * 11)


def test_colours_stay_as_they_were_seen(recorder):
    red = VideoFrame.from_pixels(np.tile(np.array([200, 30, 60], np.uint8), (48, 64, 1)))
    recorder.add(red, red)
    frame = next(read_clip(recorder.close().output))
    assert frame.origin.display.matrix == 1
    assert frame.pixels.mean((0, 1)).tolist() == close_to([200, 30, 60])


def test_earlier_recordings_stay(tmp_path):
    recordings = []
    for _ in range(3):
        recorder = Recorder(tmp_path, "take", fps=25)
        recorder.add(grey(50), grey(50))
        recordings.append(recorder.close())
    (tmp_path / "other-output.mp4").write_text("somebody's")
    recorder = Recorder(tmp_path, "other", fps=25)
    recorder.add(grey(50), grey(50))
    assert recorder.close().output.name == "other-2-output.mp4"
    assert [recording.input.name for recording in recordings] == [
        "take-input.mp4",
        "take-2-input.mp4",
        "take-3-input.mp4",
    ]
    assert recordings[2].output == tmp_path / "take-3-output.mp4"
    assert (tmp_path / "other-output.mp4").read_text() == "somebody's"


@pytest.mark.parametrize(
    ("name", "stem"), [("../../etc/passwd", "etc-passwd"), ("", "recording"), ("Schärfe 锐化", "Schärfe-锐化")]
)
def test_the_name_leads_nowhere_else(tmp_path, name, stem):
    recorder = Recorder(tmp_path / "takes", name, fps=25)
    recorder.add(grey(50), None)
    assert recorder.close().input == tmp_path / "takes" / f"{stem}-input.mp4"


def test_closing_again_says_the_same(recorder):
    recorder.add(grey(50), grey(50))
    recording = recorder.close()
    recorder.add(grey(60), grey(60))
    assert recorder.close() == recording
    assert recording.frames == 1


class Gate(VideoFrame):
    """A frame whose pixels take as long as the test wants."""

    entered: threading.Event
    leave: threading.Event

    def original(self):
        return self

    def view(self):
        self.entered.set()
        assert self.leave.wait(DEADLINE_S)
        return np.zeros((48, 64, 3), np.uint8)


def test_what_does_not_fit_is_dropped_and_counted(recorder, clock):
    slow = Gate.from_pixels(np.zeros((48, 64, 3), np.uint8))
    slow.entered, slow.leave = threading.Event(), threading.Event()
    recorder.add(slow, None)
    assert slow.entered.wait(DEADLINE_S)
    for number in range(11):
        clock.now_s = 1001 + number
        recorder.add(grey(50), grey(50))
    slow.leave.set()
    recording = recorder.close()
    assert (recording.frames, recording.dropped) == (9, 3)
    assert times(recording.input) == [0, 1, 2, 3, 4, 5, 6, 7, 8]


def test_no_frame_is_one_sentence(recorder, tmp_path):
    with pytest.raises(RecordingError, match="there is nothing to record: no frame came; start the preview"):
        recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_no_video_ends_it_with_one_sentence(recorder, tmp_path):
    recorder.add(grey(50), grey(50, 1, 1))
    recorder.add(grey(50), grey(50))
    with pytest.raises(RecordingError) as caught:
        recorder.close()
    assert str(caught.value) == recorder.error
    assert recorder.error == (
        f"the recording to {tmp_path}/take-input.mp4 broke off: "
        "1x1 is no size for video; return at least 2 pixels a side"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_a_rate_out_of_range_is_named(tmp_path, fps):
    with pytest.raises(RecordingError, match="fps must be above 0 and below 1000, not"):
        Recorder(tmp_path, "take", fps=fps)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"cannot record to .*file: File exists; choose a folder that can be"):
        Recorder(tmp_path / "file", "take", fps=25)


CHILD = """
import os, resource, signal, sys
import numpy as np
from pathlib import Path
from byoc_kit.core.frames import VideoFrame
from byoc_kit.jupyter.preview.recorder import Recorder, RecordingError

class Last(VideoFrame):
    def original(self):
        return self

    def view(self):
        os.kill(os.getpid(), signal.SIGKILL)

times = iter(range(1000))
recorder = Recorder(Path(sys.argv[1]), "take", fps=25, clock=lambda: next(times))
noise = np.random.default_rng(0)

def add(cls=VideoFrame):
    frame = cls.from_pixels(noise.integers(0, 256, (48, 64, 3), np.uint8))
    recorder.add(frame, frame)
"""


def run_child(code, folder):
    command = [sys.executable, "-c", CHILD + code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_what_a_killed_process_leaves_can_be_played(tmp_path, frames):
    done = run_child(f"for _ in range({frames}): add()\nadd(Last)\nrecorder.close()", tmp_path)
    assert done.returncode == -9
    for end in ("input", "output"):
        path = tmp_path / f"take-{end}.mp4"
        if frames > 1:
            assert times(path) == list(range(frames - 1))
    assert {path.suffix for path in tmp_path.iterdir()} <= {".mp4"}


def test_a_full_disk_is_one_sentence_and_what_was_recorded_stays(tmp_path):
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))
for _ in range(8): add()
try:
    recorder.close()
except RecordingError as error:
    print(error)
"""
    done = run_child(code, tmp_path)
    assert done.stdout.startswith(f"the recording to {tmp_path}/take-input.mp4 broke off: File too large; make room")
    assert done.stdout.count("\n") == 1
    assert times(tmp_path / "take-input.mp4")[:2] == [0, 1]
