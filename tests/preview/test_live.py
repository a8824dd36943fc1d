import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydantic import Field

import byoc_kit
from byoc_kit import VideoFrame
from byoc_kit.preview import credit


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
    front_end.wait_for(lambda content: content.get("number") == 12)
    for before, after in map(means, front_end.pairs):
        assert before + after == pytest.approx(255, abs=3)
    assert len({round(before) for before, _ in map(means, front_end.pairs)}) > 3


def test_a_frame_changed_in_place_is_shown_as_it_came_in(make_live, front_end, means):
    def brighten(frame):
        frame.tensor *= 0
        return frame

    make_live(brighten).play()
    before, after = means(front_end.wait_for(lambda content: content["kind"] == "pair"))
    assert before > 10
    assert after == 0


def test_without_acks_two_pictures_go_and_the_rest_is_counted(make_live, front_end, monkeypatch):
    monkeypatch.setattr(credit, "MIN_PATIENCE_S", 1e9)
    front_end.answers = False
    seen = threading.Semaphore(0)
    live = make_live(lambda frame: seen.release() or frame)
    live.play()
    for _ in range(20):
        assert seen.acquire(timeout=20)
    assert len(front_end.pairs) == credit.WINDOW
    assert live.stats().not_shown > 0
    assert live.stats().shown == 0


def test_a_silent_front_end_is_told_that_it_is_late(make_live, front_end, monkeypatch):
    monkeypatch.setattr(credit, "LATE_INTERVAL_S", 0)
    front_end.answers = False
    make_live(invert).play()
    content, _ = front_end.wait_for(lambda content: content["notice"])
    assert content["notice"] == "The browser answers late: showing a few pictures a second until it catches up."


def test_a_slider_changes_the_output_while_playing(make_live, front_end):
    live = make_live(fill)
    live.play()
    front_end.wait_for(lambda content: content["kind"] == "pair")
    live._controls["level"].value = 50
    assert live.params.level == 50
    front_end.wait_for_pair(lambda _, after: after == pytest.approx(50, abs=2))


def test_a_slider_acts_on_the_held_frame_while_paused(make_live, front_end, means):
    live = make_live(fill)
    live.play()
    front_end.wait_for(lambda content: content.get("number") == 5)
    live.pause()
    held = live._player.source._held
    for level in (10, 120, 60):
        live._controls["level"].value = level
    pair = front_end.wait_for_pair(lambda _, after: after == pytest.approx(60, abs=3))
    assert means(pair)[0] == pytest.approx(held.pixels.mean(), abs=3)
    assert live._player.source._held is held


def test_a_value_that_does_not_fit_is_said_and_the_old_one_stays(make_live, front_end):
    live = make_live(fill)
    live.play()
    live._controls["word"].value = "much too long"
    content, _ = front_end.wait_for(lambda content: content.get("error"))
    assert content["error"] == "word: String should have at most 5 characters"
    assert live.params.word == "ok"
    live._controls["word"].value = "fine"
    assert live.stats().error == ""


def test_an_exception_is_said_with_its_place_and_playing_goes_on(make_live, front_end, means):
    def fail(frame):
        raise ValueError("no\nway")

    make_live(fail).play()
    message = front_end.wait_for(lambda content: content.get("number", 0) > 5 and content["error"])
    line = fail.__code__.co_firstlineno + 1
    assert message[0]["error"].startswith(f"process_frame failed at test_live.py, line {line}: ValueError: no way (")
    before, after = means(message)
    assert before == pytest.approx(after, abs=1)


def test_a_withheld_frame_shows_its_input_alone(make_live, front_end):
    make_live(lambda frame: None).play()
    content, [data] = front_end.wait_for(lambda content: content.get("number", 0) > 2)
    assert content["split"] == len(data)
    assert content["numbers"][-1][1] == "dropped"


def test_large_pictures_are_scaled_down_for_the_display_only(make_live, front_end):
    make_live(lambda frame: np.zeros((720, 1280, 3), np.uint8)).play()
    content, [data] = front_end.wait_for(lambda content: content["kind"] == "pair")
    assert Image.open(BytesIO(data[: content["split"]])).size == (96, 64)
    assert Image.open(BytesIO(data[content["split"] :])).size == (640, 360)


def test_a_new_view_gets_the_held_frame(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for(lambda content: content.get("number") == 3)
    live.pause()
    front_end.answers = False
    live._pictures._handle_custom_msg({"kind": "ready"}, [])
    number = max(content["number"] for content, _ in front_end.pairs)
    live._pictures._handle_custom_msg({"kind": "ready"}, [])
    front_end.wait_for(lambda content: content.get("number", 0) > number)


def test_the_button_holds_and_goes_on(make_live, front_end):
    live = make_live(invert)
    live.play()
    assert live._button.description == "Pause"
    live._button.click()
    assert live._button.description == "Play"
    assert not live._player.is_playing
    live._button.click()
    assert live._player.is_playing


def test_closing_leaves_no_thread_and_no_widget(make_live, front_end):
    live = make_live(fill)
    live.play()
    front_end.wait_for(lambda content: content["kind"] == "pair")
    assert len(preview_threads()) == 2
    live.close()
    assert preview_threads() == []
    assert live._pictures.comm is None
    assert all(control.comm is None for control in live._controls.values())
    live.play()
    assert preview_threads() == []


def test_a_clip_that_breaks_off_is_said(make_live, front_end, clip):
    live = make_live(invert)
    clip.unlink()
    live.play()
    content, _ = front_end.wait_for(lambda content: content["kind"] == "status")
    assert content["error"] == f"{clip} broke off: there is no clip {clip}; give the path of a video file"


def test_numbers_say_what_goes_in_and_out(make_live, front_end):
    live = make_live(invert)
    live.play()
    content, _ = front_end.wait_for(lambda content: content.get("number", 0) > 5)
    assert [label for _, label in content["numbers"]] == ["in", "processed", "shown", "process p50", "dropped"]
    stats = live.stats()
    assert stats.frames_in >= stats.frames_out >= stats.shown > 0
    assert stats.error == ""
