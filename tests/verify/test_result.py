import math

from byoc_kit.media.quality import Quality
from byoc_kit.verify.result import FrameResult, Limits, Result


def good(**changes):
    frames = [FrameResult(pts, 0.01 * pts, Quality(40.0, 0.98)) for pts in range(1, 11)]
    health = [(0.0, "no answer: refused"), (0.1, "no answer: reset"), (0.2, 'HTTP 200 {"status": "ok"}')]
    values = {"frames": frames, "health": health, "was_ready": True, "exit_code": 0, "stopped_in_s": 1.0, **changes}
    return Result(Limits(min_frames=0.9, min_psnr_db=30), **values)


def short(result):
    return [check.name for check in result.checks() if not check.is_met]


def test_all_is_met():
    result = good()
    assert result.is_met
    assert short(result) == []
    assert result.checks()[0].value == "no answer -> ok"


def test_each_shortfall_is_named():
    assert short(good(was_ready=False)) == ["health"]
    assert short(good(frames=[FrameResult(1)] * 2 + good().frames)) == ["frames back"]
    assert short(good(frames=[])) == ["frames back", "mean PSNR"]
    assert short(good(frames=[FrameResult(1, 0.1, Quality(29.9, 0.5))])) == ["mean PSNR"]
    failure = {"error": "ValueError", "where": "cell 3", "message": "no", "count": 2}
    assert short(good(status={"failures": [failure]})) == ["process_frame"]
    assert short(good(is_ended=False)) == ["stream"]
    assert short(good(drift="the notebook has changed")) == ["bundle"]
    assert short(good(exit_code=137)) == short(good(stopped_in_s=9.0)) == ["SIGTERM"]


def test_a_container_that_is_not_ours_is_not_ended():
    assert short(good(is_ours=False, exit_code=None, stopped_in_s=None)) == []


def test_latency_percentiles_are_of_the_frames_that_came_back():
    assert good().latency_ms(50) == 60
    assert good().latency_ms(95) == 100
    assert math.isnan(good(frames=[FrameResult(1)]).latency_ms(50))


def test_frames_equal_to_their_expectation_count_100_db():
    frames = [FrameResult(1, 0.1, Quality(math.inf, 1)), FrameResult(2, 0.1, Quality(50, 0.9))]
    assert good(frames=frames).mean_psnr_db == 75
