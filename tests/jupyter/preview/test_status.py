import json
import re
import threading
import time

import numpy as np
import pytest
from preview_rig import Params, fill, invert

import byoc_kit
from byoc_kit.core.stage import Stage
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.function_version import Version


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


def test_the_parameters_are_there_as_a_command_for_a_stream(make_live, front_end):
    live = make_live(fill)
    live.play()
    live._controls["level"].value = 50
    command = front_end.wait_for_status(lambda status: '"level": 50' in status["curl"])["curl"]
    assert command.startswith(
        "curl -X POST http://localhost:8000/stream/params -H 'Content-Type: application/json' -d '"
    )
    assert json.loads(command.split(" -d ")[1].strip("'")) == {"level": 50, "word": "ok"}


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


NOT_0_TO_1 = "the tensor is not 0 to 1"


OF_255 = "The tensor goes up to 255, and frames are 0 to 1: divide it by 255."


@pytest.mark.parametrize(
    ("process_frame", "badge", "advice"),
    [
        (lambda frame: 1 / 0, "every frame fails", ""),
        (
            lambda _: None,
            "no picture goes out",
            "process_frame returned None: no picture goes out; is a `return` missing?",
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


def slow(frame, params: Params):
    time.sleep(0.02)
    return frame


def printing(frame, params: Params):
    print("a frame")  # noqa: T201
    return frame


def raising(frame, params: Params):
    raise ValueError("no")


def nothing(frame, params: Params):
    return None


def not_a_number(frame, params: Params):
    return frame.tensor * float("nan")


def of_255(frame, params: Params):
    return frame.tensor.clamp(0.1, 1) * 255


@pytest.mark.parametrize(
    ("plays", "wrong"),
    [
        (fill, []),
        (slow, []),
        (printing, []),
        (raising, []),
        (nothing, ["process_frame returned None: no picture goes out; is a `return` missing?"]),
        (not_a_number, ["process_frame returns NaN, which goes out as black."]),
        (of_255, [OF_255]),
    ],
)
def test_what_was_refused_is_said_first_whatever_plays(make_live, front_end, monkeypatch, plays, wrong):
    monkeypatch.setattr(kernel, "global_name", lambda function: "effect")
    live = make_live(plays)
    live.play()
    front_end.wait_for_status(lambda status: status["budget"] and status["notice"].splitlines() == wrong)

    def begins(*beginnings):
        lines = [*beginnings, *wrong]

        def is_said(status):
            said = status["notice"].splitlines()
            return len(said) == len(lines) and all(map(str.startswith, said, lines)) and status["is_warning"]

        front_end.wait_for_status(is_said)

    version = "process_frame cannot be called: nothing is there to give strength; write process_frame(frame) or "
    level, source = "level: ", "there is no clip nowhere.mp4"
    front_end.command(live, "source", "nowhere.mp4")
    begins(source)
    live._change("level", 999)
    begins(level, source)
    live.follow({"effect": lambda frame, strength: frame})
    begins(version, level, source)
    front_end.sent.clear()
    live.follow({"effect": invert})
    front_end.wait_for_status(lambda status: not status["notice"])


def test_counts_are_of_the_function_that_plays(make_live, front_end):
    live = make_live(lambda frame: 1 / 0)
    live.play()
    front_end.wait_for_status(lambda status: (status["error"] or {}).get("times"))
    live.pause()
    assert live.stats().drops["failed"] > 1
    live.swap(invert)
    live.play()
    front_end.wait_for_number(live._front_end.ack_window._next + 3)
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
