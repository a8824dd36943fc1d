import math
from dataclasses import replace

import pytest

from benchmarks.preview_figures import check_targets, figures_of, longest_gap_ms, medians_of
from benchmarks.preview_measure import Note, Watched, Window, read_notes


def window(shown, start_s=100.0, end_s=110.0, cpu_s=None):
    return Window(start_s, end_s, shown, looks=600, cpu_s=cpu_s or {"kernel": 2.0, "server": 0.5, "page": 3.0})


@pytest.fixture
def watched():
    """Ten seconds of ten frames a second, each shown 50 ms after its return, 60 ms after it was submitted."""
    notes = [Note(n, 100 + n / 10 - 0.01, 100 + n / 10, own_cpu_s=n / 100) for n in range(1, 100)]
    return Watched(
        notes,
        window([(note.number, note.returned_s + 0.05) for note in notes]),
        window([]),
        clock_ms=0.1,
        chromium="150.0.1.2",
    )


def test_figures_are_of_what_was_shown(watched):
    figures = figures_of(watched)
    assert figures.processed_fps == figures.shown_fps == pytest.approx(9.9)
    assert figures.latency_p50_ms == figures.latency_p95_ms == pytest.approx(50)
    assert figures.age_p50_ms == figures.age_worst_ms == pytest.approx(60)
    assert figures.looks_fps == 60
    assert (figures.server_cpu, figures.page_cpu) == (5, 30)


def test_the_cpu_of_process_frame_is_not_the_kernels(watched):
    assert figures_of(watched).kernel_cpu == pytest.approx(100 * (2.0 - 0.98) / 10)


def test_a_frame_that_was_never_shown_counts_in_the_rate_alone(watched):
    del watched.playing.shown[::2]
    figures = figures_of(watched)
    assert figures.shown_fps == pytest.approx(4.9)
    assert figures.processed_fps == pytest.approx(9.9)
    assert figures.latency_p95_ms == pytest.approx(50)


def test_what_shows_nothing_has_no_latency(watched):
    watched.playing.shown.clear()
    figures = figures_of(watched)
    assert figures.latency_p50_ms == figures.age_worst_ms == math.inf
    assert figures.shown_fps == 0
    assert figures.gap_ms == 10_000


@pytest.mark.parametrize(
    ("times_s", "gap_ms"),
    [([101, 102, 105, 109.5], 4500), ([106, 107, 108, 109], 6000), ([101, 103], 7000), ([90, 105, 120], 5000)],
)
def test_a_gap_may_begin_or_end_with_the_window(times_s, gap_ms):
    assert longest_gap_ms(window(list(enumerate(times_s)))) == gap_ms


def test_of_several_runs_the_medians_count(watched):
    figures = figures_of(watched)
    runs = [figures, replace(figures, gap_ms=math.inf, shown_fps=3), replace(figures, gap_ms=7, shown_fps=30)]
    medians = medians_of(runs)
    assert (medians.gap_ms, medians.shown_fps) == (figures.gap_ms, figures.shown_fps)


@pytest.fixture
def good(watched):
    changes = {
        "shown_fps": 29.8,
        "kernel_cpu": 24.0,
        "latency_p95_ms": 60.0,
        "busy_gap_ms": 90.0,
        "age_worst_ms": 459.0,
    }
    return replace(figures_of(watched), **changes)


def test_what_meets_all_targets_is_reported_so(good):
    verdicts = check_targets({"byoc-kit": good, "byoc-kit-slow": good, "jupyter-rfb": replace(good, shown_fps=1)})
    assert [verdict.is_met for verdict in verdicts] == [True] * 5


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"shown_fps": 29.4}, "byoc-kit: shown"),
        ({"kernel_cpu": 25.1}, "byoc-kit: kernel CPU beside process_frame"),
        ({"latency_p95_ms": 100.1}, "byoc-kit: latency p95"),
        ({"busy_gap_ms": 501.0}, "byoc-kit: longest gap while other cells run"),
    ],
)
def test_each_target_can_be_missed(good, change, missed):
    verdicts = check_targets({"byoc-kit": replace(good, **change), "jupyter-rfb": good})
    assert [verdict.name for verdict in verdicts if not verdict.is_met] == [missed]


@pytest.mark.parametrize(("oldest_ms", "is_met"), [(460.0, True), (461.0, False), (math.inf, False)])
def test_a_slow_process_frame_may_cost_two_of_its_frames(good, oldest_ms, is_met):
    verdict = check_targets({"byoc-kit": good, "byoc-kit-slow": replace(good, age_worst_ms=oldest_ms)})[-1]
    assert (verdict.name, verdict.wanted) == ("byoc-kit, 200 ms a frame: oldest picture", "<= 460 ms")
    assert verdict.is_met is is_met


def test_without_byoc_kit_nothing_is_judged(good):
    assert check_targets({"jupyter-rfb": good}) == []


def test_notes_are_read_without_a_line_that_is_being_written(tmp_path):
    file = tmp_path / "notes"
    file.write_text("4711\n1 10.0 10.1 0.001\n2 10.2 10.3 0.0")
    assert read_notes(file) == [Note(1, 10.0, 10.1, 0.001)]
    file.write_text("4711\n")
    assert read_notes(file) == []
