import threading

import numpy as np
import pytest
from preview_rig import invert

from byoc_kit.jupyter.preview import flow_control
from byoc_kit.jupyter.preview.live_preview import LivePreview
from byoc_kit.jupyter.preview.sender import StatusBoard


def test_news_is_what_was_not_said_yet():
    said = {"fps": 30}
    board = StatusBoard(lambda: dict(said))
    assert board.take() == {"number": 1, "fps": 30}
    assert board.news() is None
    said["fps"] = 0
    news = board.news()
    assert news["fps"] == 0
    assert news["number"] > 1
    assert board.news() is None


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


@pytest.mark.usefixtures("quick_news")
def test_the_rates_fall_to_nothing_after_a_pause(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(12)
    front_end.sent.clear()
    live.pause()
    front_end.wait_for_status(lambda status: [value for value, *_ in status["numbers"][:3]] == ["0.0 fps"] * 3)


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
    assert not live._front_end.ack_window.is_gone  # it was, when the sender looked; then the answer came
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


def test_each_status_has_a_higher_number(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.wait_for_number(5)
    live.pause()
    numbers = [content["status"]["number"] for content, _ in front_end.sent if content.get("status")]
    assert len(numbers) > 1
    assert len({*numbers}) == len(numbers)


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
