import json
import math
from dataclasses import replace

import pytest

from benchmarks.preview_figures import PreviewFigures
from benchmarks.preview_plot import plot_preview, plot_preview_soak
from benchmarks.preview_record import PreviewRecord, PreviewRun, preview_table, write_preview_json

GOOD = PreviewFigures(30, 29.9, 40, 55, 45, 80, 60, 90, 20, 8, 35, 60)


def record(load=0.1, clock_ms=0.4, *, is_kept=True, **figures):
    machine = {"cpus": 2, "cpu": "a CPU", "os": "an OS", "python": "3.11", "load": load}
    versions = {"jupyterlab": "4.6", "Chromium": "150"}
    settings = {"clip": "a.mp4", "size": "1280x720", "shown": "twice 640x360", "rate": 30, "seconds": 20.0, "runs": 1}
    runs = [
        PreviewRun(key.replace("_", "-"), 1, load, clock_ms, one, shown_s=[0.1, 0.2], busy_shown_s=[0.3])
        for key, one in figures.items()
    ]
    return PreviewRecord(settings | {"versions": versions, "is_kept": is_kept}, machine, runs)


def test_the_table_has_a_line_a_contender_and_the_verdicts():
    lines = preview_table(record(byoc_kit=GOOD, jupyter_rfb=replace(GOOD, shown_fps=20))).splitlines()
    assert lines[0] == "a.mp4 at 1280x720, 30 fps, shown at twice 640x360; 20 s a run, medians of 1 runs"
    assert lines[2] == "jupyterlab 4.6, Chromium 150"
    assert lines[5].split() == ["byoc-kit", "30.0", "29.9", "40", "55", "80", "60", "90", "20", "8", "35"]
    assert lines[6].split()[:3] == ["jupyter_rfb", "30.0", "20.0"]
    assert lines[-1] == "no target missed"


@pytest.mark.parametrize(
    ("doubtful", "warning"),
    [
        (record(load=1.5, byoc_kit=GOOD), "the machine was not at rest"),
        (record(clock_ms=-12.0, byoc_kit=GOOD), "the clocks of page and kernel were 12 ms apart"),
        (record(is_kept=False, byoc_kit=GOOD), "all of byoc-kit's runs decode each frame"),
        (record(byoc_kit=replace(GOOD, looks_fps=30)), "repainted less than 45 times a second in runs of byoc-kit"),
    ],
)
def test_what_makes_figures_doubtful_is_a_warning(doubtful, warning):
    assert warning in doubtful.warnings[0]
    assert f"WARNING: {doubtful.warnings[0]}" in preview_table(doubtful)
    assert not record(byoc_kit=GOOD).warnings


def test_everything_is_in_the_json(tmp_path):
    write_preview_json(record(byoc_kit=replace(GOOD, gap_ms=math.inf)), tmp_path / "preview.json")
    content = json.loads((tmp_path / "preview.json").read_text())
    assert content["medians"]["byoc-kit"]["shown_fps"] == 29.9
    assert content["medians"]["byoc-kit"]["gap_ms"] is None
    assert content["runs"][0]["shown_s"] == [0.1, 0.2]
    assert len(content["targets"]) == 4


@pytest.mark.parametrize(
    "keys", [["byoc_kit"], ["byoc_kit", "ipywidgets_image", "jupyter_rfb", "byoc_kit_slow"], ["jupyter_rfb"]]
)
def test_the_plot_is_a_png_and_an_svg(tmp_path, keys):
    plot_preview(record(**dict.fromkeys(keys, replace(GOOD, latency_p95_ms=math.inf))), tmp_path / "preview")
    assert (tmp_path / "preview.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "preview.svg").read_text()


def test_the_soak_has_a_plot_too(tmp_path):
    plot_preview_soak({"a": [(0.0, 1.0), (60.0, 2.0)], "b": []}, tmp_path / "soak")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "soak.svg").read_text()
