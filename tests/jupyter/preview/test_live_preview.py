import enum
import threading
import time

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from preview_rig import Params, fill, invert, preview_threads
from pydantic import Field

import byoc_kit
from byoc_kit import VideoFrame
from byoc_kit.core.frames import PixelPicture
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.live_preview import LivePreview


def test_both_pictures_of_a_pair_are_of_one_frame(make_live, front_end, means):
    make_live(invert).play()
    front_end.wait_for_number(12)
    for before, after in map(means, front_end.pairs):
        assert before + after == pytest.approx(255, abs=3)
    assert len({round(before) for before, _ in map(means, front_end.pairs)}) > 3


def test_a_pair_says_which_frame_it_is(make_live, front_end, means):
    make_live(invert).play()
    front_end.wait_for_number(12)
    for pair in front_end.pairs:
        position = pair[0]["position"]
        assert position["count"] == 10
        assert means(pair)[0] == pytest.approx(20 * position["number"] + 20, abs=3)
        assert position["time_s"] == pytest.approx(position["number"] / 25)


def test_a_frame_changed_in_place_is_shown_as_it_came_in(make_live, front_end, means):
    def brighten(frame):
        frame.tensor *= 0
        return frame

    make_live(brighten).play()
    before, after = means(front_end.wait_for_number(0))
    assert before > 10
    assert after == 0


def test_a_closed_preview_keeps_no_frame_and_hears_no_more_of_the_page(make_live, front_end):
    def fail_on_the_third(frame):
        if frame.pts == frames[2].pts:
            raise ValueError
        return frame

    live = make_live(invert)
    frames = list(live._player.feed._clip.frames())
    live.swap(fail_on_the_third)
    live.play()
    front_end.wait_for(lambda content: (content.get("status") or {}).get("error"))
    feed, last_error = live._player.feed, live.last_error.frame.pixels.copy()
    live.close()
    assert live._sender.last is None
    assert feed._held is None
    assert not feed._kept._frames
    assert isinstance(live.last_error.frame.origin, PixelPicture)  # a decoder's keeps the memory of all its frames
    assert (live.last_error.frame.pixels == last_error).all()
    assert live._pictures._msg_callbacks.callbacks == []


def test_a_slider_changes_the_output_while_playing(make_live, front_end):
    live = make_live(fill)
    live.play()
    front_end.wait_for_number(0)
    live._controls["level"].value = 50
    assert live.params.level == 50
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(50, abs=2))


def test_a_slider_acts_on_the_held_frame_while_paused(make_live, front_end):
    live = make_live(fill)
    live.play()
    front_end.wait_for_number(5)
    live.pause()
    live.seek(6)
    for level in (10, 120, 60):
        live._controls["level"].value = level
    pair = front_end.wait_for_pair(
        lambda before, after: (before, after) == (pytest.approx(140, abs=3), pytest.approx(60, abs=3))
    )
    assert pair[0]["position"]["number"] == 6


def test_a_value_that_does_not_fit_is_reported_and_the_old_one_stays(make_live, front_end):
    live = make_live(fill)
    live.play()
    live._controls["word"].value = "much too long"
    assert front_end.wait_for_notice() == "word: String should have at most 5 characters"
    assert live.params.word == "ok"
    live._controls["level"].value = 20
    assert live.stats().error == "word: String should have at most 5 characters"  # the box still has it
    live._controls["word"].value = "fine"
    assert live.stats().error == ""


def test_what_was_refused_is_gone_with_another_function(make_live, front_end):
    live = make_live(fill)
    live.play()
    live._controls["word"].value = "much too long"
    live.swap(lambda frame, params: frame if isinstance(params, Params) else None)
    assert live.stats().error == ""


def test_an_enum_that_its_cell_defines_again_keeps_its_control(make_live, front_end):
    def define():
        class Mood(enum.Enum):
            WARM = "warm"
            COLD = "cold"

        class Moody(byoc_kit.Params):
            mood: Mood = Mood.WARM

        def process_frame(frame, params: Moody):
            return np.full_like(frame.pixels, 50 if params.mood is Mood.WARM else 200)

        return process_frame, Mood

    live = make_live(define()[0])
    live.play()
    process_frame, mood = define()
    live.swap(process_frame)
    live._controls["mood"].value = mood.COLD
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(200, abs=3))
    assert live.stats().error == ""


def test_a_preview_without_a_first_picture_can_be_shown_again(make_live, front_end, monkeypatch):
    monkeypatch.setattr("byoc_kit.jupyter.preview.live_preview.POSTER_PATIENCE_S", 0.0)
    live = LivePreview(Version(lambda frame: time.sleep(0.5)), "synthetic:bars", width=64)
    live._ipython_display_()
    live._ipython_display_()
    live.close()


def test_a_result_of_another_type_is_reported(make_live, front_end):
    make_live(lambda frame: "text").play()
    status = front_end.wait_for_status(lambda status: status["error"])
    assert "process_frame must return a VideoFrame, a tensor, a uint8 array or None, not str" in status["error"]["text"]


def test_a_cell_that_defines_the_function_again_swaps_it(make_live, front_end, monkeypatch):
    monkeypatch.setattr(kernel, "global_name", lambda function: "effect")
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    live.follow({"effect": fill})
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(200, abs=2))
    live.revert()
    front_end.sent.clear()
    live.follow({"effect": fill})  # another cell ran, and this one not again
    front_end.wait_for_number(0)
    assert live._player.version.name == "invert"
    live.follow({"effect": lambda frame, strength: frame})
    assert front_end.wait_for_notice().endswith(
        "write process_frame(frame) or process_frame(frame, params); the version before goes on"
    )


def test_another_cell_acts_on_the_held_frame(make_live, front_end, monkeypatch):
    gain = {"factor": 1}

    def scale(frame):
        return frame.pixels // gain["factor"]

    monkeypatch.setattr(kernel, "global_name", lambda function: "scale")
    live = make_live(scale)
    live.play()
    live.pause()
    live.seek(9)
    front_end.wait_for_frame(9)
    gain["factor"] = 4
    live.follow({"scale": scale})
    front_end.wait_for_pair(lambda before, after: after == pytest.approx(before / 4, abs=3))


def test_other_parameters_bring_other_controls(make_live, front_end):
    class More(byoc_kit.Params):
        level: int = Field(20, ge=0, le=250)
        bias: int = Field(7, ge=0, le=9)

    def add(frame: VideoFrame, params: More):
        return np.full_like(frame.pixels, params.level + params.bias)

    live = make_live(fill)
    live.play()
    live._controls["level"].value = 100
    old = live._controls["word"]
    live.swap(add)
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(107, abs=2))
    assert live.params == More(level=100, bias=7)
    assert old.comm is None
    live._controls["bias"].value = 0
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(100, abs=2))


def test_one_that_cannot_be_called_is_refused(make_live, front_end):
    live = make_live(invert)
    with pytest.raises(ByocKitError, match="nothing is there to give strength"):
        live.swap(lambda frame, strength: frame)


def test_two_functions_stand_side_by_side(make_live, front_end, means):
    make_live(invert, compare=fill).play()
    pair = front_end.wait_for_pair(lambda before, _: before == pytest.approx(200, abs=2))
    assert means(pair)[1] == pytest.approx(255 - (20 * pair[0]["position"]["number"] + 20), abs=3)
    status = front_end.wait_for_status(lambda status: True)
    assert status["captions"] == ["fill", "invert"]


def test_what_the_compared_function_raises_is_reported(make_live, front_end):
    def divide(frame):
        return 1 / 0

    make_live(invert, compare=divide).play()
    line = divide.__code__.co_firstlineno + 1
    said = f"divide failed at test_live_preview.py, line {line}: ZeroDivisionError: division by zero"
    assert front_end.wait_for_notice() == said


@pytest.fixture
def namespace(monkeypatch):
    """The names of the notebook that runs."""
    names = {"__name__": "__main__", "byoc_kit": byoc_kit, "np": np}
    monkeypatch.setattr(kernel, "global_name", lambda function: function.__name__)
    return names


def run_cell(namespace, source, *previews):
    exec(source, namespace)  # noqa: S102
    for live in previews:
        live.follow(namespace)


def test_the_compared_function_is_followed_too(make_live, front_end, namespace):
    run_cell(namespace, "def level(frame):\n    return np.full_like(frame.pixels, 60)")
    live = make_live(invert, compare=namespace["level"])
    live.play()
    front_end.wait_for_pair(lambda left, _: left == pytest.approx(60, abs=2))
    run_cell(namespace, "def level(frame):\n    return np.full_like(frame.pixels, 160)", live)
    front_end.wait_for_pair(lambda left, _: left == pytest.approx(160, abs=2))
    run_cell(namespace, "level = 3", live)
    assert front_end.wait_for_notice() == "level: process_frame must be a function, not int; the version before goes on"


def test_the_parameters_class_is_followed_when_its_cell_alone_runs(make_live, front_end, namespace):
    cell = "class Look(byoc_kit.Params):\n    level: int = {}\n    {}"
    run_cell(namespace, cell.format(60, "bias: int = 0"))
    run_cell(namespace, "def fill(frame, params: Look):\n    return np.full_like(frame.pixels, params.level)")
    live = make_live(namespace["fill"])
    live.play()
    live._controls["level"].value = 90
    run_cell(namespace, cell.format(60, "more: int = 5"), live)
    assert live.params.model_dump() == {"level": 90, "more": 5}
    assert live._controls["more"].value == 5
    front_end.wait_for_pair(lambda _, right: right == pytest.approx(90, abs=2))
    swapped = live._player.version
    live.follow(namespace)
    assert live._player.version is swapped


def test_a_withheld_frame_shows_its_input_alone(make_live, front_end, shown):
    make_live(lambda frame: None).play()
    left, right = shown(front_end.wait_for_number(2))
    assert left.shape == (64, 96, 3)
    assert right is None


def test_a_picture_that_comes_late_takes_its_place_in_the_notebook(make_live, monkeypatch):
    published, is_late = [], threading.Event()

    def publish(bundle, transient=None, *, update=False):
        if transient is None:
            return  # the preview itself
        published.append((bundle["text/html"], transient["display_id"], update))
        if update:
            is_late.set()

    monkeypatch.setattr("byoc_kit.jupyter.preview.live_preview.POSTER_PATIENCE_S", 0.0)
    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    may_go = threading.Event()
    live = LivePreview(Version(lambda frame: may_go.wait(20) and frame), "synthetic:bars", width=64)
    live._ipython_display_()
    may_go.set()
    assert is_late.wait(20)
    live.close()
    (before, place, is_update), (after, same_place, is_late_update) = published
    assert "had no picture yet" in before
    assert "data:image/jpeg" in after
    assert place == same_place
    assert (is_update, is_late_update) == (False, True)


def test_closing_leaves_no_thread_and_no_widget(make_live, front_end):
    before = {*_instances}
    live = make_live(fill)
    live.play()
    front_end.wait_for_number(0)
    assert len(preview_threads()) == 3
    controls = [live._controls[name] for name in ("level", "word")]
    live.close()
    assert preview_threads() == []
    assert live._pictures.comm is None
    assert all(control.comm is None for control in controls)
    assert {*_instances} <= before
    live.play()
    assert preview_threads() == []
