import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from preview_rig import Params, fill, invert, preview_threads

from byoc_kit import VideoFrame
from byoc_kit.media.frame_size import Size


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
        f"process_frame failed at test_player.py, line {line}: ValueError: no way"
    )
    assert status["error"]["trace"] == (f'test_player.py, line {line}, in fail_later\n    raise ValueError("no\\nway")')
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


def test_a_change_is_seen_at_once_on_a_picture_that_stays_for_a_second(make_live, front_end):
    live = make_live(invert, "synthetic:bars", fps=0.01)
    live.play()
    front_end.wait_for_number(0)
    live.swap(lambda frame: frame)
    front_end.wait_for_status(lambda _: live.stats().frames_out > 0)


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
