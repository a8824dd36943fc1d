import errno
from fractions import Fraction

import numpy as np
import pytest
from preview_rig import Params, fill, invert

import byoc_kit
from byoc_kit import VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.result_saver import LONGEST, GoldenStretch
from byoc_kit.media.clip import read_clip
from byoc_kit.media.mp4 import Mp4Writer
from byoc_kit.regress import RegressionError, compare, load_golden, process_inputs, save_golden, versions
from byoc_kit.regress.cases import load_case, replay_case


class Tint(byoc_kit.Params):
    gain: int = 2


def tint(frame, params: Tint):
    frame.pixels[..., 1] //= params.gain  # in place: the input must be kept all the same
    return frame


@pytest.fixture
def processor():
    return FrameProcessor(Hooks.of(tint))


@pytest.fixture
def play(processor, clip):
    """Let a stretch see the clip's first frames as the preview's worker does."""

    def play(stretch, frames=10, change_at=None, withheld=(), anew_at=10):
        for number, frame in zip(range(frames), read_clip(clip), strict=False):
            params = Tint(gain=3 if number == change_at else 2)
            given = frame.original()
            output = processor.process(given, params)
            made_by = tint if number < anew_at else lambda frame: frame
            stretch.add(given, None if number in withheld else output, params, made_by)
        return stretch

    return play


def test_a_stretch_is_saved_and_compared_without_the_clip(play, processor, tmp_path):
    stretch = play(GoldenStretch("clip.mp4", frames=3))
    assert stretch.is_full
    save_golden(stretch.golden(), tmp_path)
    golden = load_golden(tmp_path)
    assert (golden.clip, golden.clip_sha256, golden.width, golden.every) == ("clip.mp4", "", 96, 1)
    assert (golden.params, golden.versions) == ({"gain": 2}, versions())
    assert list(golden.inputs) == list(golden.pictures) == [0, 1, 2]
    assert compare(process_inputs(processor, golden), golden, max_abs_diff=0, min_psnr_db=100).failure is None
    other = process_inputs(processor, golden, params={"gain": 1})
    assert "differs from its golden one" in compare(other, golden, max_abs_diff=4, min_psnr_db=45).failure


def test_the_input_is_what_came_in(play, clip):
    golden = play(GoldenStretch("clip.mp4", frames=2)).golden()
    for frame, kept in zip(read_clip(clip), golden.inputs.values(), strict=False):
        assert (kept.pixels == frame.pixels).all()
        assert (kept.pts, kept.time_base) == (frame.pts, frame.time_base)


def test_pixels_that_the_feed_kept_aside_are_the_input():
    pixels = np.full((4, 6, 3), 90, np.uint8)
    given = VideoFrame.from_pixels(pixels.copy(), 7, Fraction(1, 25))
    stretch = GoldenStretch("pattern")
    stretch.add(given, tint(given, Tint()), Tint(), tint)
    golden = stretch.golden()
    assert (golden.inputs[0].pixels == 90).all()
    assert golden.inputs[0].pts == 7
    assert golden.pictures[0][0, 0].tolist() == [90, 45, 90]


def test_frames_that_lead_in_are_processed_and_not_compared(play):
    golden = play(GoldenStretch("clip.mp4", frames=2, lead_in=3)).golden()
    assert list(golden.inputs) == [0, 1, 2, 3, 4]
    assert list(golden.pictures) == [3, 4]


def test_a_withheld_frame_has_no_picture(play):
    golden = play(GoldenStretch("clip.mp4", frames=3), withheld={1}).golden()
    assert list(golden.inputs) == [0, 1, 2]
    assert list(golden.pictures) == [0, 2]


def test_nothing_that_came_out_is_one_sentence(play):
    for stretch in (GoldenStretch("clip.mp4"), play(GoldenStretch("clip.mp4"), withheld={0})):
        with pytest.raises(RegressionError, match="there is no output to save as golden; let process_frame return"):
            stretch.golden()


def test_parameters_that_changed_on_the_way_are_named(play):
    stretch = play(GoldenStretch("clip.mp4", frames=3), change_at=2)
    with pytest.raises(RegressionError, match="gain changed while golden frames were kept; leave the controls alone"):
        stretch.golden()


def test_a_function_that_was_defined_again_on_the_way_is_refused(play):
    stretch = play(GoldenStretch("clip.mp4", frames=3), anew_at=2)
    with pytest.raises(RegressionError, match="process_frame was defined again while golden frames were kept; leave"):
        stretch.golden()


def test_frames_of_two_versions_of_a_function_do_not_join(play, tmp_path):
    save_golden(play(GoldenStretch("clip.mp4")).golden(), tmp_path)
    golden = load_golden(tmp_path)
    assert len(golden.with_more(play(GoldenStretch("clip.mp4")).golden()).pictures) == 2
    with pytest.raises(RegressionError, match="golden frames of two versions of process_frame cannot be in one"):
        golden.with_more(play(GoldenStretch("clip.mp4"), anew_at=0).golden())


@pytest.mark.parametrize("options", [{"frames": 0}, {"lead_in": -1}, {"frames": LONGEST, "lead_in": 1}])
def test_a_length_out_of_range_is_refused(options):
    with pytest.raises(ByocKitError, match="a golden stretch has 1 to 100 frames"):
        GoldenStretch("clip.mp4", **options)


def test_input_and_output_are_recorded(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(invert)
    live.play()
    front_end.command(live, "record")
    front_end.wait_for_status(lambda status: status["state"]["is_recording"])
    front_end.wait_for_number(len(front_end.pairs) + 5)
    front_end.command(live, "record")
    said = front_end.wait_for_status(lambda status: status["notice"].startswith("Recorded"))
    assert said["notice"].startswith("Recorded recordings/invert-input.mp4 and invert-output.mp4: ")
    assert not said["state"]["is_recording"]
    came, went = (next(read_clip(f"recordings/invert-{side}.mp4")).pixels.mean() for side in ("input", "output"))
    assert came + went == pytest.approx(255, abs=4)


def test_a_recording_that_breaks_off_is_reported_at_once(make_live, front_end, tmp_path, monkeypatch):
    def full(self, pixels, pts):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Mp4Writer, "write", full)
    live = make_live(invert)
    live.play()
    front_end.command(live, "record")
    status = front_end.wait_for_status(lambda status: "broke off" in status["notice"])
    assert "No space left on device; make room there, or choose another folder" in status["notice"]
    assert status["is_warning"]
    assert not status["state"]["is_recording"]


def test_a_recording_ends_whole_with_the_preview(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(invert)
    live.play()
    live.record()
    front_end.wait_for_number(len(front_end.pairs) + 5)
    live.close()
    assert len(list(read_clip("recordings/invert-output.mp4"))) > 1


def test_why_a_recording_ended_without_a_file_is_logged_when_the_preview_closes(
    make_live, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    live = make_live(invert)
    live.record()
    live.close()
    assert "there is nothing to record: no frame came" in caplog.text


def test_the_held_frame_is_kept_as_golden(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(fill)
    live.play()
    live._controls["level"].value = 90
    live.pause()
    live.seek(4)
    front_end.wait_for_frame(4)
    front_end.command(live, "save_golden")
    said = front_end.wait_for_status(lambda status: status["notice"].startswith("golden/fill has 1 frame now: "))
    assert not said["is_warning"]
    golden = load_golden(tmp_path / "golden" / "fill")
    assert golden.params == {"level": 90, "word": "ok"}
    assert (golden.pictures[0] == 90).all()
    assert golden.inputs[0].pixels.mean() == pytest.approx(100, abs=3)


def test_a_stretch_of_frames_is_kept_as_golden(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(fill)
    live.play()
    live.pause()
    live.save_golden(3, lead_in=2)
    front_end.wait_for_status(lambda status: status["notice"] == "Keeping 5 frames as soon as it plays: press Play")
    live.play()
    front_end.wait_for_status(lambda status: status["notice"].startswith("golden/fill has 3 frames now: "))
    golden = load_golden(tmp_path / "golden" / "fill")
    assert [*golden.inputs] == [0, 1, 2, 3, 4]
    assert [*golden.pictures] == [2, 3, 4]


def test_golden_frames_are_added_to_those_of_the_notebook(make_live, front_end, tmp_path, monkeypatch):
    (tmp_path / "flow.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "flow.ipynb"))
    live = make_live(fill)
    live.play()
    live.pause()
    for number, said in ((2, "golden/flow has 1 frame now"), (5, "golden/flow has 2 frames now")):
        live.seek(number)
        front_end.wait_for_frame(number)
        front_end.command(live, "save_golden")
        front_end.wait_for_status(lambda status, said=said: status["notice"].startswith(said))
    live._controls["level"].value = 90
    front_end.command(live, "save_golden")
    front_end.wait_for_status(lambda status: status["notice"].startswith("golden/flow-2 has 1 frame now ("))

    def brighter(frame, params: Params):
        return fill(frame, params) + 1

    live.swap(brighter)
    front_end.command(live, "save_golden")
    said = "golden/flow-3 has 1 frame now (flow has those of other parameters or of another version of brighter): a "
    front_end.wait_for_status(lambda status: status["notice"].startswith(said))
    golden = load_golden(tmp_path / "golden" / "flow")
    assert [*golden.inputs] == [*golden.pictures] == [0, 1]
    assert [round(frame.pixels.mean(), -1) for frame in golden.inputs.values()] == [60, 120]
    assert load_golden(tmp_path / "golden" / "flow-2").params["level"] == 90


def test_no_golden_frames_are_kept_of_a_function_that_fails(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(lambda frame: 1 / 0)
    live.play()
    front_end.command(live, "save_golden")
    status = front_end.wait_for_status(lambda status: "golden" in status["notice"])
    assert status["notice"] == "<lambda> failed, so no golden frames were kept; fix it, and save again"
    assert status["is_warning"]
    live.swap(invert)
    front_end.wait_for_pair(lambda _, right: right is not None)
    assert not (tmp_path / "golden").exists()


def test_the_frame_that_failed_is_kept_as_a_case(make_live, front_end, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fail_later(frame):
        return 1 / 0 if frame.pixels.mean() > 100 else frame

    live = make_live(fail_later)
    front_end.command(live, "save_case")
    said = front_end.wait_for_status(lambda status: status["notice"].startswith("no frame has failed yet"))
    assert said["is_warning"]
    live.play()
    front_end.wait_for_status(lambda status: status["error"])
    front_end.command(live, "save_case")
    front_end.wait_for_status(
        lambda status: status["notice"].startswith("Saved the frame to cases/zero-division-error-1")
    )
    case = load_case(tmp_path / "cases" / "zero-division-error-1")
    assert case.error == "ZeroDivisionError: division by zero"
    with pytest.raises(ZeroDivisionError):
        replay_case(fail_later, case)
