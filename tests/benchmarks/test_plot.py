import math
from dataclasses import replace

import pytest

from benchmarks.figures import Figures
from benchmarks.plot import plot_bench, plot_soak


def is_png_and_svg(stem):
    png, svg = stem.with_suffix(".png").read_bytes(), stem.with_suffix(".svg").read_text()
    return png.startswith(b"\x89PNG") and "<svg" in svg


def test_the_plot_is_a_png_and_an_svg(record, whole, tmp_path):
    never = replace(whole, latency_p95_ms=math.inf)
    everything = record(loop_back=whole, stock=never, byoc_kit=whole, ffmpeg=Figures(cpu_s=8), byoc_kit_blocking=whole)
    plot_bench(everything, tmp_path / "bench")
    assert is_png_and_svg(tmp_path / "bench")


@pytest.mark.parametrize("key", ["loop_back", "byoc_kit"])
def test_one_contender_alone_can_be_plotted(record, whole, tmp_path, key):
    plot_bench(record(**{key: whole}), tmp_path / "bench")
    assert is_png_and_svg(tmp_path / "bench")


def test_the_soak_has_a_plot_too(tmp_path):
    plot_soak([(0.0, 200.0), (60.0, 210.0)], [(0.0, 300.0)], tmp_path / "soak")
    assert is_png_and_svg(tmp_path / "soak")
