import enum
import errno
import json
import re
import threading
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image
from pydantic import Field

import byoc_kit
from byoc_kit import VideoFrame
from byoc_kit.core.frames import PixelPicture
from byoc_kit.core.stage import Stage
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview import flow_control
from byoc_kit.jupyter.preview.camera import Camera
from byoc_kit.jupyter.preview.function_version import Version
from byoc_kit.jupyter.preview.live_preview import LivePreview
from byoc_kit.media.clip import read_clip
from byoc_kit.media.frame_size import Size
from byoc_kit.media.mp4 import Mp4Writer
from byoc_kit.regress.cases import load_case, replay_case
from byoc_kit.regress.golden import load_golden


class Params(byoc_kit.Params):
    level: int = Field(200, ge=0, le=250)
    word: str = Field("ok", max_length=5)


def invert(frame: VideoFrame) -> np.ndarray:
    return 255 - frame.pixels


def fill(frame: VideoFrame, params: Params) -> np.ndarray:
    return np.full_like(frame.pixels, params.level)


def preview_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("preview-")]


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


def test_without_acks_a_few_pictures_go_and_the_rest_is_counted(make_live, front_end, monkeypatch):
    monkeypatch.setattr(flow_control, "MIN_PATIENCE_S", 1e9)
    front_end.answers = False
    seen = threading.Semaphore(0)
    live = make_live(lambda frame: seen.release() or frame)
    live.play()
    for _ in range(20):
        assert seen.acquire(timeout=20)
    front_end.wait_for_number(flow_control.WINDOW - 1)
    assert len(front_end.pairs) == flow_control.WINDOW
    assert live.stats().not_shown > 0
    assert live.stats().shown == 0


def test_a_picture_that_the_page_left_out_is_counted_too(make_live, front_end):
    front_end.answers = False
    live = make_live(invert)
    live.play()
    number = front_end.wait_for(lambda content: content["kind"] == "pair")[0]["number"]
    live.close()  # nothing else is counted from now on
    before = live.stats().not_shown
    live._sender.on_answer({"number": number, "drawn": False, "draw_ms": 1.5, "glass_ms": None, "ago_ms": 0.5})
    assert (live.stats().not_shown, live.stats().shown) == (before + 1, 0)


def test_a_silent_front_end_is_told_that_it_is_late(make_live, front_end, monkeypatch):
    monkeypatch.setattr(flow_control, "LATE_INTERVAL_S", 0)
    front_end.answers = False
    make_live(invert).play()
    said = "The browser answers late: showing a few pictures a second until it catches up."
    assert front_end.wait_for_notice() == said


@pytest.fixture
def quick_news(monkeypatch):
    """Have what changes told sooner, and the rates be of a shorter time."""
    monkeypatch.setattr("byoc_kit.jupyter.preview.sender.NEWS_AFTER_S", 0.05)
    monkeypatch.setattr("byoc_kit.jupyter.preview.sender._ANSWERED_AFTER_S", 0.1)
    monkeypatch.setattr("byoc_kit.jupyter.preview.stats._WINDOW_S", 0.2)


@pytest.mark.usefixtures("quick_news")
def test_the_rates_fall_to_nothing_after_a_pause(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(12)
    front_end.sent.clear()
    live.pause()
    front_end.wait_for_status(lambda status: [value for value, *_ in status["numbers"][:3]] == ["0.0 fps"] * 3)


@pytest.mark.usefixtures("quick_news")
def test_it_waits_for_the_first_picture_until_there_is_one(make_live, front_end):
    may_go = threading.Event()
    live = make_live(lambda frame: may_go.wait(20) and frame)
    live.play()
    status = front_end.wait_for_status(lambda status: status["state"]["is_playing"])
    assert status["notice"] == "Waiting for the first picture…"
    may_go.set()
    front_end.wait_for_status(lambda status: status["notice"] == "")


@pytest.mark.usefixtures("quick_news")
def test_a_process_frame_that_does_not_return_is_reported(make_live, front_end, monkeypatch):
    may_go, first = threading.Event(), iter([True])
    live = make_live(lambda frame: (next(first, False) or may_go.wait(20)) and frame)
    live.play()
    front_end.wait_for_number(0)
    monkeypatch.setattr(Stage, "frame_taking_s", 7.2)
    assert front_end.wait_for_notice() == "process_frame has been at one frame for 5 s."
    may_go.set()


@pytest.mark.usefixtures("quick_news")
def test_that_the_browser_is_late_is_not_said_any_more_once_it_has_answered(make_live, front_end, monkeypatch):
    monkeypatch.setattr(flow_control, "MIN_PATIENCE_S", 0.05)
    front_end.answers = False
    live = make_live(invert)
    live.play()
    assert front_end.wait_for_notice().startswith("The browser answers late")
    live.pause()
    front_end.sent.clear()
    front_end.answers = True
    front_end.ack(live._pictures, 0)
    front_end.wait_for_status(lambda status: status["notice"] == "")


def test_it_rests_while_nobody_looks_on(make_live, front_end, monkeypatch):
    monkeypatch.setattr(flow_control, "MIN_PATIENCE_S", 0.05)
    monkeypatch.setattr(flow_control, "LATE_INTERVAL_S", 0.01)
    monkeypatch.setattr(flow_control, "GONE_AFTER_S", 0.1)
    monkeypatch.setattr(flow_control, "GONE_INTERVAL_S", 0.05)
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(3)
    front_end.answers = False
    front_end.wait_for_status(lambda status: not status["state"]["is_playing"])
    frames_in = live.stats().frames_in
    sent = len(front_end.pairs)
    front_end.wait_for_number(front_end.pairs[-1][0]["number"] + 3)
    assert len(front_end.pairs) > sent
    assert live.stats().frames_in == frames_in
    front_end.answers = True
    front_end.sent.clear()
    front_end.wait_for_status(lambda status: status["state"]["is_playing"])


@pytest.mark.parametrize("keep", [LivePreview.record, lambda live: live.save_golden(100)], ids=["recording", "golden"])
def test_it_plays_on_while_frames_are_kept_though_nobody_looks_on(make_live, keep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    live = make_live(invert)
    live.play()
    monkeypatch.setattr(flow_control.AckWindow, "is_gone", True)
    live._rest()
    assert not live._player.is_playing
    keep(live)
    live._rest()
    assert live._player.is_playing


def test_a_page_that_answers_just_before_it_rests_keeps_it_playing(make_live):
    live = make_live(invert)
    live.play()
    assert not live._channel.ack_window.is_gone  # it was, when the sender looked; then the answer came
    live._rest()
    assert live._player.is_playing


def test_a_page_that_answers_just_as_it_rests_has_it_play_on(make_live, monkeypatch):
    live = make_live(invert)
    live.play()
    player, rest = live._player, live._player.feed.rest
    answer = threading.Thread(target=player.wake)

    def rest_while_the_page_answers():
        answer.start()
        answer.join(0.1)  # it has to wait for the rest
        rest()

    monkeypatch.setattr(player.feed, "rest", rest_while_the_page_answers)
    player.rest(is_unwatched=lambda: True)
    answer.join(20)
    assert player.is_playing


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


def test_what_the_first_frames_take_is_forgotten(make_live, front_end, monkeypatch):
    clock = SimpleNamespace(now_s=0.0, monotonic=lambda: clock.now_s)
    monkeypatch.setattr("byoc_kit.core.stage.time", clock)
    takes_s = iter([0.3, 0.3, 0.3])

    def process_frame(frame):
        clock.now_s += next(takes_s, 0)
        return frame

    live = make_live(process_frame)
    live.play()
    front_end.wait_for_number(6)
    assert live.stats().process_ms == {"p50": 0, "p95": 0}


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


def test_a_size_scales_the_frames_and_leaves_the_clip_seekable(make_live, front_end, shown):
    seen = []

    def process_frame(frame):
        seen.append((frame.width, frame.height))
        return frame

    make_live(process_frame, size=Size(48, 32)).play()
    pair = front_end.wait_for_frame(3)
    assert {picture.shape for picture in shown(pair)} == {(32, 48, 3)}
    assert set(seen) == {(48, 32)}


def test_pixels_that_are_scaled_are_shown_as_they_came_in(make_live, front_end, means):
    def blacken(frame):
        frame.pixels[...] = 0
        return frame

    make_live(blacken, "synthetic:bars", size=Size(48, 32)).play()
    pair = front_end.wait_for_pair(lambda before, after: after == pytest.approx(0, abs=3))
    assert means(pair)[0] > 30


def test_an_exception_of_the_past_is_gone_from_a_held_picture(make_live, front_end):
    def process_frame(frame, params: Params):
        if params.level < 100:
            raise ValueError
        return frame

    live = make_live(process_frame)
    live.play()
    live.pause()
    live._controls["level"].value = 50
    front_end.wait_for_status(lambda status: status["error"])
    front_end.sent.clear()
    live._controls["level"].value = 150
    front_end.wait_for(lambda content: content["kind"] == "pair")
    newest = front_end.wait_for_status(lambda status: '"level": 150' in status["curl"] and status["error"] is None)
    assert newest["notice"] == ""


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


def test_each_status_has_a_higher_number(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(5)
    live.pause()
    numbers = [content["status"]["number"] for content, _ in front_end.sent if content.get("status")]
    assert len(numbers) > 1
    assert len({*numbers}) == len(numbers)


def test_a_preview_without_a_first_picture_can_be_shown_again(make_live, front_end, monkeypatch):
    monkeypatch.setattr("byoc_kit.jupyter.preview.live_preview.POSTER_PATIENCE_S", 0.0)
    live = LivePreview(Version(lambda frame: time.sleep(0.5)), "synthetic:bars", width=64)
    live._ipython_display_()
    live._ipython_display_()
    live.close()


def test_a_source_that_cannot_be_played_leaves_no_widget(front_end):
    before = {*_instances}
    with pytest.raises(ByocKitError):
        LivePreview(Version(invert), "nowhere.mp4", width=64)
    assert {*_instances} <= before


def test_the_parameters_are_there_as_a_command_for_a_stream(make_live, front_end):
    live = make_live(fill)
    live.play()
    live._controls["level"].value = 50
    command = front_end.wait_for_status(lambda status: '"level": 50' in status["curl"])["curl"]
    assert command.startswith(
        "curl -X POST http://localhost:8000/stream/params -H 'Content-Type: application/json' -d '"
    )
    assert json.loads(command.split(" -d ")[1].strip("'")) == {"level": 50, "word": "ok"}


def test_an_exception_stands_on_the_last_good_pair_with_the_users_lines(make_live, front_end, means):
    def fail_later(frame):
        if frame.pixels.mean() > 100:
            raise ValueError("no\nway")
        return frame

    live = make_live(fail_later)
    live.play()
    status = front_end.wait_for_status(lambda status: status["error"])
    line = fail_later.__code__.co_firstlineno + 2
    assert status["error"]["text"].startswith(
        f"process_frame failed at test_live_preview.py, line {line}: ValueError: no way"
    )
    assert status["error"]["trace"] == (
        f'test_live_preview.py, line {line}, in fail_later\n    raise ValueError("no\\nway")'
    )
    assert max(means(pair)[0] for pair in front_end.pairs) < 110
    assert live.last_error.frame.pixels.mean() > 100


def test_a_function_that_never_works_shows_what_came_in(make_live, front_end, means):
    make_live(lambda frame: 1 / 0).play()
    before, after = means(front_end.wait_for_number(0))
    assert before > 10
    assert after is None


def test_the_same_exception_ten_times_in_a_row_holds_the_clip(make_live, front_end):
    live = make_live(lambda frame: 1 / 0)
    live.play()
    status = front_end.wait_for_status(lambda status: not status["state"]["is_playing"])
    assert status["error"]["text"].endswith(
        "ZeroDivisionError: division by zero; "
        "paused, because each frame fails in the same way: fix the cell, or press Play"
    )
    assert re.fullmatch(r"\d+ times so far", status["error"]["times"])
    assert live.stats().failures[0].count >= 10
    live.play()
    front_end.wait_for_status(lambda status: status["state"]["is_playing"])


def test_what_a_person_steers_after_an_exception_does_not_play_on_by_itself(make_live, front_end):
    live = make_live(lambda frame: 1 / 0)
    live.play()
    front_end.wait_for_status(lambda status: not status["state"]["is_playing"])
    live.step()
    front_end.sent.clear()
    live.swap(invert)
    front_end.wait_for_pair(lambda _, right: right is not None)
    assert not live._player.is_playing


def test_a_result_of_another_type_is_reported(make_live, front_end):
    make_live(lambda frame: "text").play()
    status = front_end.wait_for_status(lambda status: status["error"])
    assert "process_frame must return a VideoFrame, a tensor, a uint8 array or None, not str" in status["error"]["text"]


def test_another_function_takes_over_where_the_first_is(make_live, front_end, means):
    live = make_live(fill)
    live._controls["level"].value = 90
    live.play()
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(90, abs=2))

    def fill_darker(frame: VideoFrame, params: Params):
        return np.full_like(frame.pixels, params.level // 2)

    live.swap(fill_darker)
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(45, abs=2))
    status = front_end.wait_for_status(lambda status: status["state"]["can_revert"])
    assert status["state"]["is_playing"]
    front_end.sent.clear()
    front_end.command(live, "revert")
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(90, abs=2))
    assert live.params.level == 90


def test_one_that_makes_no_frame_leaves_the_last_good_to_go_back_to(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(3)

    def broken(frame):
        raise ValueError("not yet")

    live.swap(broken)
    front_end.wait_for_status(lambda status: status["error"] and not status["state"]["is_playing"])
    front_end.sent.clear()
    live.revert()
    front_end.wait_for_number(0)
    status = front_end.wait_for_status(lambda status: status["error"] is None)
    assert status["state"]["is_playing"]


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


def test_large_pictures_are_scaled_down_for_the_display_only(make_live, front_end, shown):
    make_live(lambda frame: np.zeros((720, 1280, 3), np.uint8)).play()
    left, right = shown(front_end.wait_for_number(0))
    assert left.shape == (64, 96, 3)
    assert right.shape == (360, 640, 3)


def test_a_new_view_gets_the_held_frame(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(3)
    live.pause()
    front_end.answers = False
    live._pictures._handle_custom_msg({"kind": "ready"}, [])
    number = max(content["number"] for content, _ in front_end.pairs)
    live._pictures._handle_custom_msg({"kind": "ready"}, [])
    front_end.wait_for_number(number + 1)


def test_a_picture_that_is_sent_again_is_not_measured(make_live, front_end):
    front_end.answers = False
    live = make_live(invert)
    live._player.start()
    front_end.wait_for_number(0)
    front_end.ack(live._pictures, 0)
    latency = live.stats().timings_ms["latency"]
    live._pictures._handle_custom_msg({"kind": "ready"}, [])
    front_end.wait_for_number(1)
    front_end.ack(live._pictures, 1)
    assert live.stats().timings_ms["latency"] == latency
    assert live.stats().shown == 1


def test_a_live_source_at_its_end_says_so_and_plays_again(make_live, front_end):
    class Broadcast:
        name = "broadcast"
        times = 0

        def frames(self):
            self.times += 1
            yield VideoFrame.from_pixels(np.zeros((8, 8, 3), np.uint8))

        def close(self):
            pass

    broadcast = Broadcast()
    live = make_live(invert, broadcast)
    live.play()
    status = front_end.wait_for_status(lambda status: status["state"]["has_ended"])
    said = "broadcast has ended. Play opens it again."
    assert (status["error"], status["notice"], status["is_warning"]) == (None, said, False)
    before = live._player.feed
    front_end.command(live, "play")
    front_end.wait_for_status(lambda _: live._player.feed is not before)
    assert broadcast.times == 2


def test_a_folder_of_images_shows_one_a_second(make_live, tmp_path):
    for number in range(3):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{number}.png")
    feed = make_live(invert, tmp_path, fps=None)._player.feed
    assert feed.fps * feed.speed == 1
    feed.set_speed(1)
    assert make_live(invert, tmp_path, fps=5)._player.feed.speed == 1


def test_a_change_is_seen_at_once_on_a_picture_that_stays_for_a_second(make_live, front_end):
    live = make_live(invert, "synthetic:bars", fps=0.01)
    live.play()
    front_end.wait_for_number(0)
    live.swap(lambda frame: frame)
    front_end.wait_for_status(lambda _: live.stats().frames_out > 0)


@pytest.mark.parametrize("begin_anew", [LivePreview.pause, LivePreview.play])
def test_there_is_no_badge_until_the_pace_of_a_live_source_is_known(make_live, front_end, begin_anew):
    class Camera:
        name = "camera"
        is_closed = threading.Event()

        def frames(self):
            while not self.is_closed.wait(0.01):
                yield VideoFrame.from_pixels(np.zeros((8, 8, 3), np.uint8))

        def close(self):
            self.is_closed.set()

    live = make_live(invert, Camera(), fps=None)
    live.play()
    front_end.wait_for_number(5)
    assert live.stats().budget is None
    live._player.arrivals._started_s -= 60
    assert live.stats().budget is not None
    begin_anew(live)
    assert live.stats().budget is None


def test_a_person_holds_steps_and_goes_on(make_live, front_end, means):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(3)
    front_end.command(live, "pause")
    front_end.wait_for_status(lambda status: not status["state"]["is_playing"])
    for command, value, number in (("seek", 4, 4), ("step", 1, 5), ("step", -2, 3), ("seek", 400, 9), ("step", -9, 0)):
        front_end.sent.clear()
        front_end.command(live, command, value)
        pair = front_end.wait_for_frame(number)
        assert means(pair)[0] == pytest.approx(20 * number + 20, abs=3)
    assert not live._player.is_playing
    front_end.command(live, "play")
    assert live._player.is_playing


def test_another_source_takes_over_when_its_first_frame_is_there(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    front_end.command(live, "source", "synthetic:bars")
    status = front_end.wait_for_status(lambda status: status["state"]["source"] == "synthetic:bars")
    assert status["state"]["is_playing"]
    front_end.wait_for(lambda content: (content.get("position") or {}).get("count", 10) > 10)


def test_frames_that_wait_while_the_source_changes_are_still_of_the_stream_before(make_live, front_end):
    seen = []

    def slow(frame):
        time.sleep(0.02)
        seen.append((frame.side_data.stream, frame.width))
        return frame

    live = make_live(slow)
    live.play()
    front_end.wait_for_number(3)
    live.switch("synthetic:bars")
    front_end.wait_for(lambda content: (content.get("position") or {}).get("count", 10) > 10)
    live.close()
    assert seen == sorted(seen)
    assert len({stream for stream, _ in seen}) == len({*seen}) == 2


def test_a_source_chosen_before_it_plays_is_the_one_that_plays(make_live, front_end):
    live = make_live(invert)
    live.switch("synthetic:bars")
    live.play()
    status = front_end.wait_for_status(lambda status: status["state"]["is_playing"])
    assert status["state"]["source"] == "synthetic:bars"
    assert [thread.name for thread in preview_threads()].count("preview-source") == 1


def test_the_present_source_can_be_opened_again(make_live, front_end):
    live = make_live(invert, "synthetic:ball")
    live.play()
    front_end.wait_for_number(2)
    before = live._player.feed
    front_end.command(live, "source", None)
    front_end.wait_for_status(lambda status: live._player.feed is not before)
    assert live._player.feed.name == before.name


def test_what_the_page_calls_the_present_source_means_that_one(make_live, front_end, clip, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    before = live._player.feed
    shown = front_end.wait_for_status(lambda status: status["state"])["state"]["source"]
    assert shown == str(clip)
    front_end.command(live, "source", shown)
    front_end.wait_for_status(lambda status: live._player.feed is not before)
    assert live._player.feed.source == before.source


def test_another_file_with_the_name_of_the_present_one_is_opened(make_live, front_end, clip, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    Path("clip.mp4").write_bytes(clip.read_bytes())
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(2)
    front_end.command(live, "source", "clip.mp4")
    front_end.wait_for_status(lambda status: live._player.feed.source == "clip.mp4")


def test_a_source_on_which_all_frames_fail_is_shown_as_it_comes_in(make_live, front_end, shown):
    def small_only(frame):
        if frame.width > 96:
            raise ValueError("too large")
        return frame

    live = make_live(small_only)
    live.play()
    front_end.wait_for_number(2)
    front_end.command(live, "source", "synthetic:bars")
    pair = front_end.wait_for(lambda content: (content.get("position") or {}).get("count", 10) > 10)
    assert shown(pair)[1] is None
    position = front_end.wait_for_status(lambda status: status["error"])["error"]["position"]
    assert position["count"] > 10


def test_a_source_that_is_not_there_is_reported_and_the_old_one_plays_on(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "nowhere.mp4")
    status = front_end.wait_for_status(lambda status: "nowhere.mp4" in status["notice"] and "…" not in status["notice"])
    assert "there is no" in status["notice"]
    assert status["is_warning"]
    front_end.sent.clear()
    front_end.wait_for(lambda content: content["kind"] == "pair")


def send_camera_frame(live, level, *, captured_ms=1, turn=None):
    """Do as the browser's camera, asked for last or in an earlier turn."""
    buffer = BytesIO()
    Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(buffer, "JPEG")
    turn = turn or live._camera._turn
    message = {"kind": "camera-frame", "turn": turn, "captured_ms": captured_ms}
    live._pictures._handle_custom_msg(message, [memoryview(buffer.getvalue())])


def test_the_browsers_camera_plays(make_live, front_end, means):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])
    send_camera_frame(live, 77, captured_ms=4321)
    front_end.wait_for(lambda content: content["kind"] == "camera-more")
    pair = front_end.wait_for(lambda content: content.get("captured_ms") == 4321)
    assert means(pair) == pytest.approx([77, 178], abs=3)
    front_end.command(live, "source", "synthetic")
    front_end.wait_for(lambda content: content["kind"] == "camera" and not content["on"])


@pytest.mark.parametrize(
    ("reason", "said"),
    [("insecure", "https"), ("denied", "site settings"), ("missing", "no camera"), ("busy", "another program")],
)
def test_why_there_is_no_camera_is_reported(make_live, front_end, reason, said):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])
    refused = {"kind": "camera-refused", "turn": live._camera._turn, "reason": reason, "detail": ""}
    live._pictures._handle_custom_msg(refused, [])
    status = front_end.wait_for_status(lambda status: said in status["notice"])
    assert status["error"] is None
    assert status["state"]["source"].endswith("clip.mp4")
    front_end.sent.clear()
    live._pictures._handle_custom_msg({"kind": "ready"}, [])  # the page was loaded anew
    assert "camera" not in {content["kind"] for content, _ in front_end.sent}


@pytest.fixture
def webcam_twice(make_live, front_end):
    """A preview that plays the webcam and is asked for it again, and both turns."""
    live = make_live(invert, "webcam")
    live.play()
    first = front_end.wait_for(lambda content: content["kind"] == "camera")[0]["turn"]
    send_camera_frame(live, 20)
    front_end.wait_for_pair(lambda before, _: before == pytest.approx(20, abs=3))
    front_end.command(live, "source", "webcam")
    second = front_end.wait_for(lambda content: content["kind"] == "camera" and content["turn"] != first)[0]["turn"]
    return live, first, second


def test_a_camera_that_is_refused_when_it_is_chosen_again_has_ended(webcam_twice, front_end):
    live, _, second = webcam_twice
    refused = {"kind": "camera-refused", "turn": second, "reason": "busy", "detail": ""}
    live._pictures._handle_custom_msg(refused, [])
    status = front_end.wait_for_status(lambda status: status["error"])
    assert status["error"]["text"] == ("the browser's camera could not be restarted; choose webcam again, or a clip")
    assert not status["state"]["is_playing"]
    front_end.wait_for_status(lambda status: "another program uses the camera" in status["notice"])


def test_the_camera_chosen_again_is_not_let_go_by_the_one_before(webcam_twice, front_end):
    live, first, second = webcam_twice
    send_camera_frame(live, 60, turn=first)  # it was on its way
    send_camera_frame(live, 100, turn=second)
    front_end.wait_for_pair(lambda before, _: before == pytest.approx(100, abs=3))
    front_end.wait_for(lambda content: content == {"kind": "camera", "on": False, "turn": first})
    assert not any(content.get("on") is False and content["turn"] == second for content, _ in front_end.sent)


def test_of_two_pages_the_first_that_sends_a_picture_counts():
    sent = []
    camera = Camera(sent.append)
    frames = camera.frames()
    buffer = BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    camera.receive({"turn": camera._turn, "captured_ms": 1, "page": "a"}, buffer.getvalue())
    assert next(frames).pts == 1  # from here on the pages are asked
    for page in "aba":
        camera.receive({"turn": camera._turn, "captured_ms": ord(page), "page": page}, buffer.getvalue())
    camera.receive({"turn": camera._turn, "reason": "denied", "page": "b"}, None)
    assert next(frames).pts == ord("a")
    assert {content["page"] for content in sent if content["kind"] == "camera-more"} == {"a"}
    camera.resume()  # the first page was loaded anew
    camera.receive({"turn": camera._turn, "captured_ms": ord("c"), "page": "c"}, buffer.getvalue())
    assert next(frames).pts == ord("c")


def test_a_camera_that_sends_no_pictures_is_reported(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    turn = front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])[0]["turn"]
    live._pictures._handle_custom_msg({"kind": "camera-frame", "turn": turn, "captured_ms": 1}, [memoryview(b"none")])
    front_end.wait_for_status(lambda status: "camera does not work: it sent what is no JPEG" in status["notice"])


def test_a_camera_picture_that_a_newer_one_replaces_lets_another_follow():
    sent = []
    camera = Camera(sent.append)
    frames = camera.frames()
    buffer = BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    for captured_ms in (1, 2):
        camera.receive({"turn": camera._turn, "captured_ms": captured_ms}, buffer.getvalue())
    assert next(frames).pts == 2
    assert [content["kind"] for content in sent].count("camera-more") == 2


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


def test_a_clip_that_breaks_off_is_reported(make_live, front_end, clip):
    live = make_live(invert)
    live._player.feed.seek(0)
    clip.unlink()
    live.play()
    status = front_end.wait_for_status(lambda status: status["error"])
    assert "clip.mp4" in status["error"]["text"]
    assert not status["state"]["is_playing"]


def test_numbers_say_what_goes_in_and_out(make_live, front_end):
    live = make_live(invert)
    live.play()
    status = front_end.wait_for_status(lambda status: status["budget"])
    labels = [label for _, label, _, _ in status["numbers"]]
    places = [f"{place} p50 / p95" for place in ("decode", "process", "encode", "wire", "draw", "latency")]
    assert labels[:11] == ["in", "processed", "shown", *places, "dropped", "not shown"]
    assert {"memory", "device"} <= {*labels}
    assert all(title for _, _, title, _ in status["numbers"])
    few = [label for _, label, _, is_extra in status["numbers"] if not is_extra]
    assert few == ["in", "shown", "process p50 / p95", "dropped"]
    stats = live.stats()
    assert stats.frames_in >= stats.frames_out >= stats.shown > 0
    assert stats.error == ""


def test_the_badge_says_whether_the_pace_is_held(make_live, front_end):
    make_live(invert, fps=5).play()
    status = front_end.wait_for_status(lambda status: status["budget"])
    assert status["budget"]["text"] == "will hold 5 fps here"
    assert status["budget"]["is_held"]
    assert 0 < status["budget"]["share"] < 1


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


NOT_0_TO_1 = "the tensor is not 0 to 1"
OF_255 = "The tensor goes up to 255, and frames are 0 to 1: divide it by 255."


@pytest.mark.parametrize(
    ("process_frame", "badge", "advice"),
    [
        (lambda frame: 1 / 0, "every frame fails", ""),
        (
            lambda _: None,
            "no picture goes out",
            "process_frame returned None: no picture goes out; a `return` is missing?",
        ),
        (
            lambda frame: frame.tensor * float("nan"),
            "process_frame returns NaN",
            "process_frame returns NaN, which goes out as black.",
        ),
        (lambda frame: frame.tensor * 255, NOT_0_TO_1, OF_255),
        (lambda frame: frame.replace(tensor=frame.tensor.clamp(0, 1) * 255), NOT_0_TO_1, OF_255),
    ],
    ids=["failing", "withheld", "NaN", "bytes", "frame of bytes"],
)
def test_the_badge_is_not_green_while_no_good_picture_comes(make_live, front_end, process_frame, badge, advice):
    live = make_live(process_frame)
    live.play()
    status = front_end.wait_for_status(lambda status: (status["budget"] or {}).get("text") == badge)
    assert not status["budget"]["is_held"]
    assert status["notice"] == advice
    assert status["is_warning"] == bool(advice)
    front_end.sent.clear()
    live.swap(invert)
    front_end.wait_for_status(lambda status: (status["budget"] or {}).get("is_held"))


def test_counts_are_of_the_function_that_plays(make_live, front_end):
    live = make_live(lambda frame: 1 / 0)
    live.play()
    front_end.wait_for_status(lambda status: (status["error"] or {}).get("times"))
    live.pause()
    assert live.stats().drops["failed"] > 1
    live.swap(invert)
    live.play()
    front_end.wait_for_number(live._channel.ack_window._next + 3)
    stats = live.stats()
    assert (stats.drops.get("failed", 0), stats.failures) == (0, [])
    assert stats.frames_out > 0


def test_the_sizes_of_input_and_output_are_said(make_live, front_end):
    make_live(lambda frame: np.hstack([frame.pixels, frame.pixels])).play()
    status = front_end.wait_for_status(lambda status: status["sizes"])
    assert status["sizes"] == "192x64 of 96x64"
    assert status["captions"] == ["Input 96x64", "Output 192x64"]


def test_what_is_published_is_shown(make_live, front_end):
    def process_frame(frame):
        byoc_kit.publish({"mean": 1.5})
        return frame

    make_live(process_frame).play()
    published = front_end.wait_for_status(lambda status: status["published"])["published"]
    assert published["line"] == '{"mean":1.5}'
    assert re.fullmatch(r"\d+\.\d lines/s", published["rate"])


def test_what_is_printed_is_shown_until_the_function_is_another(make_live, front_end):
    def process_frame(frame):
        print("frame", frame.pts)  # noqa: T201
        return frame

    live = make_live(process_frame)
    live.play()
    printed = front_end.wait_for_status(lambda status: (status["printed"] or {}).get("text", "").count("\n") > 20)
    assert re.fullmatch(r"(frame \d+\n)+frame \d+", printed["printed"]["text"])
    live.swap(invert)
    front_end.sent.clear()
    front_end.wait_for_status(lambda status: status["printed"] is None)


def test_which_version_plays_is_reported_until_it_is_redone(make_live, front_end, monkeypatch):
    cells = {invert: "In[5]", fill: "In[6]"}
    monkeypatch.setattr(Version, "cell", property(lambda version: cells[version.hooks.process_frame]))
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(1)
    live.swap(fill)
    status = front_end.wait_for_status(lambda status: status["state"]["can_revert"])
    assert (status["version"], status["state"]["is_reverted"]) == ("", False)
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(200, abs=2))
    live.revert()
    status = front_end.wait_for_status(lambda status: status["state"]["is_reverted"])
    assert status["version"] == "plays In[5]; the cell has In[6]"
    front_end.sent.clear()
    live.revert()
    status = front_end.wait_for_status(lambda status: not status["state"]["is_reverted"])
    assert live._player.version.name == "fill"
    assert status["version"] == ""
