import math
from dataclasses import replace

import pytest

from benchmarks.figures import Figures
from benchmarks.targets import above_loop_back, at_most, check_targets


def test_latencies_are_those_above_the_loop_back(whole):
    above = above_loop_back({"loop-back": Figures(latency_p50_ms=1, latency_p95_ms=2), "byoc-kit": whole})
    assert (above["byoc-kit"].latency_p50_ms, above["byoc-kit"].latency_p95_ms) == (9, 12)
    assert (above["loop-back"].latency_p50_ms, above["loop-back"].latency_p95_ms) == (1, 2)


def test_without_a_loop_back_latencies_stay_as_they_are(whole):
    assert above_loop_back({"byoc-kit": whole}) == {"byoc-kit": whole}


def verdicts(**figures):
    return {
        verdict.name: verdict for verdict in check_targets({key.replace("_", "-"): f for key, f in figures.items()})
    }


def test_a_target_for_each_promise(whole):
    ours = ["byoc_kit", "byoc_kit_pixels", "byoc_kit_written", "byoc_kit_tensor", "byoc_kit_blocking"]
    everything = dict.fromkeys([*ours, "stock", "ffmpeg"], whole)
    assert list(verdicts(**everything)) == [
        "byoc-kit: CPU of that of stock pytrickle",
        "byoc-kit: CPU of that of ffmpeg decode-rgb24-encode",
        "byoc-kit, pixels read: CPU of that of ffmpeg decode-rgb24-encode",
        "byoc-kit, tensor written: CPU of that of ffmpeg decode-rgb24-encode",
        "byoc-kit: latency p95",
        "byoc-kit: frames lost at the start",
        "byoc-kit: frames lost at the end",
        "byoc-kit, pixels read: frames lost at the start",
        "byoc-kit, pixels read: frames lost at the end",
        "byoc-kit, pixels written: frames lost at the start",
        "byoc-kit, pixels written: frames lost at the end",
        "byoc-kit, tensor written: frames lost at the start",
        "byoc-kit, tensor written: frames lost at the end",
        "byoc-kit, 100 ms a frame: latency p95",
        "byoc-kit, 100 ms a frame: peak memory",
        "byoc-kit, 100 ms a frame: /health p99",
    ]


def test_what_was_left_out_is_not_judged(whole):
    assert check_targets({"stock": whole, "ffmpeg": whole, "loop-back": whole}) == []
    assert verdicts(byoc_kit=whole)["byoc-kit: CPU of that of stock pytrickle"].is_met is None


@pytest.mark.parametrize(("cpu_s", "is_met"), [(15.0, False), (16.0, True)])
def test_half_of_stock_is_enough(whole, cpu_s, is_met):
    found = verdicts(byoc_kit=whole, stock=replace(whole, cpu_s=cpu_s))
    assert found["byoc-kit: CPU of that of stock pytrickle"].is_met is is_met


@pytest.mark.parametrize(
    ("key", "title", "most"),
    [
        ("byoc_kit", "byoc-kit", 1.05),
        ("byoc_kit_pixels", "byoc-kit, pixels read", 1.0),
        ("byoc_kit_tensor", "byoc-kit, tensor written", 1.5),
    ],
)
def test_each_may_take_so_much_of_ffmpegs_cpu(whole, key, title, most):
    name = f"{title}: CPU of that of ffmpeg decode-rgb24-encode"
    for ratio, is_met in ((most, True), (most + 0.01, False)):
        found = verdicts(**{key: replace(whole, cpu_s=100 * ratio), "ffmpeg": Figures(cpu_s=100.0)})
        assert found[name].is_met is is_met


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"latency_p95_ms": 351.0}, "latency p95"),
        ({"latency_p95_ms": math.inf}, "latency p95"),
        ({"peak_rss_mb": 451.0}, "peak memory"),
        ({"health_p99_ms": 51.0}, "/health p99"),
    ],
)
def test_each_blocking_target_can_be_missed(whole, change, name):
    found = verdicts(byoc_kit_blocking=replace(whole, **change))
    assert [verdict.name for verdict in found.values() if not verdict.is_met] == [f"byoc-kit, 100 ms a frame: {name}"]


def test_one_lost_frame_is_a_miss(whole):
    found = verdicts(byoc_kit=replace(whole, lost_end=1))
    assert found["byoc-kit: frames lost at the end"].is_met is False


def test_a_verdict_shows_value_and_limit():
    assert (at_most("x", 12.345, 15, " ms").value, at_most("x", 12.345, 15, " ms").wanted) == ("12.35 ms", "<= 15 ms")
    assert at_most("x", math.inf, 15, " ms").value == "no frame came back"
    assert at_most("x", None, 15, " ms").value == "not measured"
