import base64
import re
from fractions import Fraction
from io import BytesIO
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from numbered_clips import damage, make_clip
from PIL import Image

import byoc_kit
from byoc_kit.core.frames import VideoFrame
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview import preview
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.still_preview import LIMIT_BYTES, StillPreview
from byoc_kit.media.demux import MediaError
from byoc_kit.regress import versions

pytestmark = pytest.mark.slow

CELL = """
import byoc_kit
from pydantic import Field

class Params(byoc_kit.Params):
    gain: float = Field(2.0, ge=0, le=4)

def process_frame(frame, params: Params):
    return frame.tensor * params.gain

byoc_kit.preview(process_frame, {clip!r})
"""


def run(source, folder):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook.cells[0].outputs


class Pictures:
    """Frames of one picture each, as any source gives them; ``said`` is more than there are."""

    fps = 25.0

    def __init__(self, *pictures, name="pictures", said=None):
        self.name = name
        self.count = said or len(pictures)
        self._pictures = pictures

    def time_s(self, number):
        return number / 25

    def frames(self, start=0):
        for number, pixels in enumerate(self._pictures[start:], start):
            yield VideoFrame.from_pixels(pixels, number, Fraction(1, 25))


def static(process_frame, source, **options):
    return StillPreview(Version(process_frame), source, **{"width": 640, **options})


def rows(table):
    return dict(re.split(r"\s+", line, maxsplit=1) for line in table.splitlines())


def noise(width, height, count=1):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def same(frame):
    return frame


def test_a_tensor_of_0_to_255_is_noted():
    table = rows(
        static(lambda frame: frame.tensor * 255, Pictures(np.full((8, 8, 3), 200, np.uint8)), frames=1).table()
    )
    assert table["note"] == "the tensor goes up to 200, and frames are 0 to 1: divide it by 255"
    assert "note" not in rows(static(same, Pictures(np.full((8, 8, 3), 200, np.uint8)), frames=1).table())


def test_a_run_that_nobody_watches_leaves_a_contact_sheet_and_a_table(clip, tmp_path):
    sheet, table = run(CELL.format(clip=clip.name), tmp_path)
    html = sheet["data"]["text/html"]
    alt, data = re.fullmatch(r'<img alt="([^"]+)" style="[^"]+" src="data:image/jpeg;base64,([^"]+)">', html).groups()
    assert Image.open(BytesIO(base64.b64decode(data))).width == 1280
    assert alt == ("Contact sheet of clip.mp4: input above and output of process_frame below, frames 0, 2, 4, 5, 7, 9")
    assert sheet["data"]["text/plain"] == f"<{alt}>"
    assert "application/vnd.jupyter.widget-view+json" not in sheet["data"]
    said = rows(table["data"]["text/plain"])
    assert said["source"] == "clip.mp4, 96x64, 25 fps"
    assert said["frames"] == "10 in, 10 out (96x64)"
    assert re.fullmatch(r"p50 [\d.]+ ms, p95 [\d.]+ ms, max [\d.]+ ms", said["process_frame"])
    assert re.fullmatch(r"will hold 25 fps here \(p95\)|misses 25 fps by [\d.]+ ms \(p95\)", said["live"])
    assert said["params"] == "gain=2.0"
    assert said["device"] == versions()["device"]
    assert f"torch {versions()['torch']}" in said["versions"]


def test_an_exception_fails_the_cell_there_and_names_the_frame(clip, tmp_path):
    source = CELL.format(clip=clip.name).replace("params.gain", "(1 / (0 if frame.pts else 1))")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError") as caught:
        run(source, tmp_path)
    assert "process_frame failed on frame 1 of clip.mp4 (params: gain=2.0)" in str(caught.value)


def test_the_pass_counts_what_was_withheld(clip):
    numbers = iter(range(10))
    passed = preview(lambda frame: frame if next(numbers) % 2 else None, clip)
    passed.play()
    passed.pause()
    passed.close()
    stats = passed.stats()
    assert (stats.frames_in, stats.frames_out, stats.drops) == (10, 5, {"withheld": 5})


@pytest.mark.parametrize("source", ["clip", "synthetic:bars"])
def test_frames_have_the_size_and_are_judged_by_the_pace_that_were_asked_for(clip, source):
    seen = []

    def process_frame(frame):
        seen.append(frame.tensor.shape)
        return frame

    passed = preview(process_frame, clip if source == "clip" else source, size=(48, 32), fps=1e6)
    assert set(seen) == {(1, 32, 48, 3)}
    said = rows(passed.table())
    assert re.search(r"\d+x\d+ scaled to 48x32, 1e\+06 fps", said["source"])
    assert said["live"].startswith("misses 1e+06 fps by")
    assert not passed.stats().budget.is_held


def test_two_functions_are_compared_on_each_frame(clip):
    seen = []

    def brighter(frame):
        return 255 - frame.pixels

    def darker(frame):
        seen.append(frame.pts)
        frame.pixels[...] = 0
        return frame

    passed = preview(brighter, clip, compare=darker)
    assert len(seen) == 10
    assert passed._alt().startswith("Contact sheet of clip.mp4: darker above and brighter below, frames 0")
    assert {np.asarray(shot.before).max() for shot in passed._shots} == {0}
    assert np.asarray(passed._shots[0].after).mean() == pytest.approx(235, abs=3)


def test_what_the_compared_function_raises_fails_the_cell_under_its_name(clip):
    def fails(frame):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        preview(same, clip, compare=fails)
    assert caught.value.__notes__ == ["fails failed on frame 0 of clip.mp4 (params: none)"]


def test_the_first_frames_which_load_libraries_do_not_decide(clip, monkeypatch):
    clock = SimpleNamespace(now_s=0.0, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("byoc_kit.core.run_frames.time", clock)
    takes_s = iter([300, 200, 100])

    def process_frame(frame):
        clock.now_s += next(takes_s, 0.5)
        return frame

    passed = preview(process_frame, clip)
    assert passed.stats().process_ms == {"p50": 500, "p95": 500}
    assert rows(passed.table())["process_frame"] == "p50 500.0 ms, p95 500.0 ms, max 300000.0 ms"


@pytest.mark.parametrize("fails_at", [None, 3])
def test_the_streams_hooks_run_around_the_frames(clip, tmp_path, fails_at):
    hooks = """
frames = []
from pathlib import Path
def on_stream_start(params): Path("seen").write_text("start")
def on_stream_stop(): Path("seen").write_text(Path("seen").read_text() + " stop")
"""
    source = hooks + CELL.format(clip=clip.name).replace(
        "return", f"frames.append(1); 1 / (len(frames) != {fails_at}); return"
    )
    if fails_at is None:
        run(source, tmp_path)
    else:
        with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
            run(source, tmp_path)
    assert (tmp_path / "seen").read_text() == "start stop"


def test_it_stops_after_so_many_frames(clip):
    seen = []
    passed = static(lambda frame: seen.append(frame.pts), clip, frames=4)
    assert len(seen) == 4
    assert rows(passed.table())["frames"] == "4 in, 0 out"


def test_no_frames_at_all_show_the_first_one_and_run_nothing(clip):
    def fails(frame):
        raise AssertionError

    passed = static(fails, clip, frames=0)
    assert rows(passed.table())["process_frame"] == rows(passed.table())["live"] == "not run"
    assert passed._alt().endswith("frames 0; 0 not processed")
    assert passed.sheet()


def test_a_number_of_frames_below_zero_is_refused(clip):
    with pytest.raises(ByocKitError, match="frames must be 0 or more, not -1"):
        static(same, clip, frames=-1)


def test_any_clip_source_can_be_the_source():
    shared = np.full((8, 8, 3), 90, np.uint8)
    seen = []

    def writes(frame):
        seen.append((int(frame.pixels[0, 0, 0]), frame.pts))
        frame.pixels[:] = 0
        return frame

    passed = static(writes, Pictures(shared, shared, name="images/ (2 pictures)"))
    assert seen == [(90, 0), (90, 1)]
    assert [shot.before.getpixel((0, 0)) for shot in passed._shots] == [(90, 90, 90)] * 2
    assert [shot.after.getpixel((0, 0)) for shot in passed._shots] == [(0, 0, 0)] * 2
    assert rows(passed.table())["source"] == "images/ (2 pictures), 8x8, 25 fps"


def test_a_clip_source_that_ends_early_is_shown_as_far_as_it_goes():
    passed = static(same, Pictures(*noise(8, 8, 3), said=20))
    assert rows(passed.table())["frames"] == "3 in, 3 out (8x8)"
    assert passed.sheet()


def test_a_clip_source_without_a_frame_is_named():
    with pytest.raises(MediaError, match="pictures has a video stream without a picture; give another file"):
        static(same, Pictures())


def test_a_slow_function_misses_the_rate(clip):
    passed = static(same, clip)
    passed._took_s = [0.052] * 10
    assert rows(passed.table())["live"] == "misses 25 fps by 12.0 ms (p95)"
    passed._took_s = [0.012] * 10
    assert rows(passed.table())["live"] == "will hold 25 fps here (p95)"


def test_all_that_is_left_stays_small_whatever_it_shows(monkeypatch):
    class Params(byoc_kit.Params):
        prompt: str = "ä" * 100_000

    def process_frame(frame, params: Params):
        return frame

    left = []
    monkeypatch.setattr("IPython.display.publish_display_data", left.append)
    source = Pictures(*noise(1280, 720, 6), name="<ü&\n" * 1000)
    static(process_frame, source, width=4000)._ipython_display_()
    sizes = [len(text.encode()) for bundle in left for text in bundle.values()]
    assert len(sizes) == 3
    assert 100_000 < sum(sizes) < LIMIT_BYTES


def test_pixels_that_are_not_square_and_damaged_frames_are_said(tmp_path):
    wide = make_clip(tmp_path / "wide.mkv", count=5, aspect=Fraction(16, 15))
    assert rows(static(same, wide).table())["source"] == "wide.mkv, 192x108 of 16:15 pixels, 25 fps"
    broken = make_clip(tmp_path / "broken.avi", "mjpeg", count=5, pixel_format="yuvj420p")
    damage(broken, 1)
    said = rows(static(same, broken).table())["source"]
    assert said.endswith(", damaged: 1 left out")


def test_a_forgotten_return_is_named_in_the_table(clip):
    said = "process_frame returned None: no picture goes out; is a `return` missing?"
    assert said in byoc_kit.preview(lambda _: None, clip).table()
