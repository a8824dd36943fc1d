import math
from dataclasses import replace

from benchmarks.figures import Figures
from benchmarks.table import table


def test_a_line_a_contender_in_the_usual_order(record, whole):
    lines = table(record(byoc_kit=whole, loop_back=Figures(latency_p50_ms=1, latency_p95_ms=2))).splitlines()
    assert lines[:3] == [
        "a.mp4 at 1280x720, 30 fps, 20 s a run, medians of 1 runs (of lost frames the most)",
        "2 CPUs (a CPU), an OS, Python 3.11, PyAV 14, pytrickle 0.1.6",
        "ffmpeg: ffmpeg 5; x264 crf=23; threads: auto",
    ]
    assert [line.split() for line in lines[5:7]] == [
        ["loop-back,", "nothing", "between", "-", "1.0", "2.0", *["-"] * 8],
        ["byoc-kit", "8.00", "9.0", "12.0", "300", "350", "0", "0", "0", "1.0", "4.0", "1.0"],
    ]


def test_a_star_where_the_loop_back_is_subtracted(record, whole):
    assert "p95 ms*" in table(record(byoc_kit=whole, loop_back=whole))
    assert "*" not in table(record(byoc_kit=whole))


def test_targets_are_met_missed_or_not_measured(record, whole):
    text = table(record(byoc_kit=replace(whole, lost_end=2), ffmpeg=Figures(cpu_s=7.9)))
    words = [line.split()[0] for line in text.splitlines() if "wanted" in line]
    assert words == ["-", "met", "met", "met", "MISSED"]
    assert text.splitlines()[-1] == "1 of 5 targets missed: byoc-kit: frames lost at the end"


def test_a_contender_that_never_came_back_says_so(record, whole):
    never = replace(whole, latency_p50_ms=math.inf, latency_p95_ms=math.inf, behind_ms=17_000.0)
    text = table(record(stock_blocking=never))
    assert text.count("none back") == 2
    assert "sent after second 12; the last frame that came back was 17000 ms behind" in text


def test_warnings_come_last(record, whole):
    text = table(record(load=1.5, byoc_kit=replace(whole, late_p95_ms=6.0)))
    assert text.splitlines()[-2:] == [
        "WARNING: the machine was not at rest: its load average was 1.5 before the first run",
        "WARNING: the publisher was late, p95 over 5 ms in runs of byoc-kit",
    ]
