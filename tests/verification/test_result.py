import math
from dataclasses import replace
from pathlib import Path

import pytest

from byoc_kit.media.quality import Quality
from byoc_kit.verification.replay import Fault, Outcome, Replay, Replayed
from byoc_kit.verification.result import Difference, FrameResult, Limits, Result, Streamed
from byoc_kit.verification.target import Where

MODULE = Replay(Path(), (Replayed(0, 1, Outcome.MADE, 0.01),))
LIMITS = Limits(min_frames=0.9, min_psnr_db=30)


def streamed(where=Where(), **changes):  # noqa: B008  # a frozen one
    frames = [FrameResult(pts, 0.01 * pts, Quality(40.0, 0.98), is_back=True) for pts in range(1, 11)]
    health = [(0.0, "no answer: refused"), (0.1, "no answer: reset"), (0.2, 'HTTP 200 {"status": "ok"}')]
    values = {"frames": frames, "health": health, "was_ready": True, "exit_code": 0, "stopped_in_s": 1.0, **changes}
    return Streamed(where, **values)


def good(**changes):
    return Result(**{"limits": LIMITS, "module": MODULE, "streams": [streamed()], **changes})


def short(result):
    return [check.name for check in result.checks() if not check.is_met]


def short_stream(where=Where(), **changes):  # noqa: B008  # a frozen one
    """Name what falls short of a good result but for these values of its one stream."""
    return [name.partition(": ")[2] for name in short(good(streams=[streamed(where, **changes)]))]


def test_all_is_met():
    result = good()
    assert result.is_met
    assert short(result) == []
    assert {check.name: check.value for check in result.checks()}["server: health"] == "no answer -> ok"


def test_each_shortfall_is_named():
    assert short_stream(was_ready=False) == ["health"]
    assert short_stream(frames=[FrameResult(1)] * 2 + streamed().frames) == ["frames back"]
    assert short_stream(frames=[]) == ["frames back", "mean PSNR"]
    assert short_stream(frames=[FrameResult(1, 0.1, Quality(29.9, 0.5), is_back=True)]) == ["mean PSNR"]
    assert short_stream(misfit="frame 3 came back 20x20, not 64x48") == ["mean PSNR"]
    assert short_stream(is_ended=False) == ["stream"]
    assert short_stream(exit_code=137) == short_stream(stopped_in_s=9.0) == ["SIGTERM"]
    assert short(good(drift="the notebook has changed")) == ["bundle"]


def test_a_bundle_without_its_notebook_is_not_compared_with_it():
    assert "bundle" in [check.name for check in good().checks()]
    assert "bundle" not in [check.name for check in good(has_notebook=False).checks()]
    assert short(good(has_notebook=False, drift="the schema says something else")) == ["bundle"]


def test_server_and_container_are_judged_each():
    failure = {"error": "ValueError", "where": "cell 3", "message": "no", "count": 2}
    container = streamed(Where(image=""), is_ended=False, status={"failures": [failure]})
    result = good(streams=[streamed(), container])
    assert short(result) == ["process_frame", "container: stream"]
    found = {check.name: check.value for check in result.checks()}
    assert found["process_frame"] == "ValueError at cell 3: no (2x in the container)"
    assert found["server: stream"] == "ended"


def test_a_container_that_is_not_ours_is_not_ended():
    assert short_stream(Where(url="http://host:1"), exit_code=None, stopped_in_s=None) == []


def test_latency_percentiles_are_of_the_frames_that_came_back():
    assert streamed().latency_ms() == {"p50": 60, "p95": 100}
    assert streamed(frames=[FrameResult(1)]).latency_ms() == {}


def test_frames_equal_to_their_expectation_count_100_db():
    frames = [FrameResult(1, 0.1, Quality(math.inf, 1)), FrameResult(2, 0.1, Quality(50, 0.9))]
    assert streamed(frames=frames).mean_psnr_db == 75


def test_a_frame_that_process_frame_drops_need_not_come_back():
    dropped = [FrameResult(pts, is_wanted=False) for pts in range(20)]
    one = streamed(frames=[*streamed().frames, *dropped])
    assert short(good(streams=[one])) == []
    assert (len(one.received), len(one.wanted)) == (10, 10)


def test_a_process_frame_that_makes_no_picture_is_not_met_and_says_why(replayed):
    module = replayed(lambda frame: None)
    dropped = streamed(frames=[FrameResult(pts, is_wanted=False) for pts in range(10)])
    for streams in ([], [dropped]):
        result = good(module=module, streams=streams)
        assert short(result) == ["process_frame"]
        [check] = [check for check in result.checks() if check.name == "process_frame"]
        assert check.value == (
            "process_frame returned None for all 10 frames: no picture goes out; is a `return` missing?"
        )
        assert check.wanted == "a picture"


@pytest.mark.parametrize("share", [None, 0.0, 0.9])
def test_at_least_one_frame_is_wanted_back(share):
    result = good(streams=[streamed(frames=[])], limits=replace(LIMITS, min_frames=share))
    [back] = [check for check in result.checks() if check.name == "server: frames back"]
    assert (back.value, back.wanted, back.is_met) == ("0 of 0", ">= 1", False)


@pytest.mark.parametrize(
    ("changes", "may"),
    [
        ({}, False),
        ({"back": 6}, True),
        ({"back": 6, "broken": "it died"}, False),
        ({"back": 6, "withheld": 4}, False),
        ({"back": 6, "withheld": 3}, True),
    ],
)
def test_load_explains_frames_that_are_lost_and_not_those_that_process_frame_withholds(changes, may):
    back, withheld = changes.get("back", 10), changes.get("withheld", 0)
    frames = [FrameResult(pts, is_back=pts < back) for pts in range(10)]
    status = {"drops": {"process": {"withheld": withheld}}}
    assert streamed(frames=frames, status=status, broken=changes.get("broken", "")).may_have_lost_frames is may


def test_what_did_not_run_to_its_end_falls_short():
    broken = Replay(Path(), fault=Fault.RUN, failure="cell 3 raises")
    assert short(good(notebook=broken)) == ["notebook"]
    assert good(notebook=broken).truth is MODULE
    assert short(good(module=broken)) == ["module"]
    assert short(good(module=broken, not_served="it does not load", streams=[])) == ["module", "process_frame"]


def test_the_module_may_be_as_far_from_the_notebook_as_the_limits_say():
    assert short(good(notebook=MODULE, difference=Difference(0))) == []
    apart = good(notebook=MODULE, difference=Difference(1, text="frame 4: up to 1 of 255"))
    assert short(apart) == ["module"]
    apart.limits = Limits(min_frames=0.9, min_psnr_db=30, max_diff=1)
    assert short(apart) == []


def test_an_exception_in_a_replay_is_one_of_process_frame(replayed):
    def fail(frame):
        raise ValueError("no")

    result = good(module=replayed(fail))
    assert short(result) == ["process_frame"]
    [check] = [check for check in result.checks() if check.name == "process_frame"]
    assert check.value == "in the module ValueError: no (here), in 10 of 10 frames"


def test_what_raises_in_both_is_not_just_called_equal(replayed):
    def fail(frame):
        raise ValueError("no")

    one = replayed(fail)
    found = {check.name: check.value for check in good(notebook=one, module=one, difference=Difference(0)).checks()}
    assert found["module"] == "equal to the notebook, which raises in 10 frames too"


def test_a_process_frame_that_no_frame_went_through_does_not_pass():
    broken = Replay(Path(), fault=Fault.LOAD, failure="cell 3 raises")
    result = good(notebook=broken, module=broken, streams=[], not_served="the module does not load")
    [check] = [check for check in result.checks() if check.name == "process_frame"]
    assert (check.value, check.is_met) == ("no frame is known to have gone through it", False)


def slow_model(*, back):
    """Ten frames of a clip of 25 fps through a process_frame of 100 ms; so many of them came back."""
    frames = [FrameResult(3600 * n, 0.1, Quality(40.0, 0.98), is_back=n < back) for n in range(10)]
    return streamed(frames=frames, status={"timings_ms": {"process": {"p50": 100.0, "p95": 110.0}}})


def test_a_model_slower_than_the_clip_is_met_with_the_frames_that_it_has_the_time_for():
    live = replace(LIMITS, min_frames=None)
    result = good(streams=[slow_model(back=4)], limits=live)
    assert short(result) == []
    assert {check.name: check.wanted for check in result.checks()}["server: frames back"] == ">= 4"
    assert result.streams[0].why_fewer == "10 fps of 25, since process_frame takes 100 ms"
    assert short(good(streams=[slow_model(back=3)], limits=live)) == ["server: frames back"]


def test_a_share_of_the_frames_that_is_asked_for_counts_for_a_slow_model_too():
    asked = replace(LIMITS, min_frames=0.5)
    assert short(good(streams=[slow_model(back=4)], limits=asked)) == ["server: frames back"]
    assert short(good(streams=[slow_model(back=5)], limits=asked)) == []


def test_a_model_that_keeps_up_is_asked_for_nearly_all_frames():
    live = replace(LIMITS, min_frames=None)
    fast = slow_model(back=9)
    fast.status = {"timings_ms": {"process": {"p50": 10.0}}}
    assert short(good(streams=[fast], limits=live)) == ["server: frames back"]
    assert fast.why_fewer == ""


def test_an_asset_that_the_notebook_wrote_again_is_named_and_no_fault():
    result = good(put_back=["tiny.pt"])
    assert short(result) == []
    assert {check.name: check.value for check in result.checks()}["assets"] == (
        "running the notebook changed tiny.pt, which was put back as it was"
    )


def test_a_module_that_is_apart_for_other_weights_names_what_wrote_them():
    result = good(notebook=MODULE, difference=Difference(225, text="frame 0: up to 225 of 255"), put_back=["tiny.pt"])
    assert short(result) == ["module"]
    assert {check.name: check.value for check in result.checks()}["module"] == (
        "frame 0: up to 225 of 255; running the notebook changed tiny.pt: seed what makes it, or load it"
    )
