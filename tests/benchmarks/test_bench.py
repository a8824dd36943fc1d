import json

import pytest

from benchmarks import machine
from benchmarks.__main__ import main
from benchmarks.run import Request, bench
from byoc_kit.errors import ByocKitError

pytestmark = pytest.mark.slow

MEASURED = ["loop-back", "byoc-kit", "ffmpeg"]


def test_a_short_run_measures_and_writes_everything(clip, tmp_path, capsys):
    options = ["--seconds", "2", "--runs", "1", "--clip", clip, "--output", tmp_path, "--only", *MEASURED]
    code = main([*map(str, options)])
    out = capsys.readouterr().out
    content = json.loads((tmp_path / "bench.json").read_text())
    assert code == int(any(verdict["is_met"] is False for verdict in content["targets"]))
    assert [run["contender"] for run in content["runs"]] == MEASURED
    loop_back, ours, ffmpeg = (run["figures"] for run in content["runs"])
    assert len(content["runs"][1]["latencies"]) > 40
    assert ours["cpu_s"] > 0
    assert ours["peak_rss_mb"] >= ours["ready_rss_mb"] > 50
    assert ours["health_p99_ms"] > 0
    assert loop_back["lost_start"] == loop_back["lost_middle"] == loop_back["lost_end"] == 0
    assert ffmpeg["cpu_s"] > 0
    assert ffmpeg["latency_p95_ms"] is None
    assert (tmp_path / "bench.png").exists()
    assert (tmp_path / "bench.svg").exists()
    assert "byoc-kit: CPU of that of ffmpeg decode-rgb24-encode" in out
    assert out.endswith(f"wrote {tmp_path}/bench.json, bench.png and bench.svg\n")


@pytest.mark.parametrize(("runs", "seconds"), [(0, 20), (3, 0)])
def test_nothing_to_measure_is_refused(clip, tmp_path, runs, seconds):
    with pytest.raises(ByocKitError, match="--runs and --seconds must be 1 at least"):
        bench(Request(runs=runs, seconds=seconds, clip=clip, output=tmp_path))


def test_stock_is_not_let_loose_on_a_small_machine(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "free_memory_gb", lambda: 4.0)
    with pytest.raises(ByocKitError, match=r"stock-blocking takes 6\.0 GB of memory in 20 s, and 4\.0 GB are free"):
        bench(Request(runs=1, seconds=20, clip=clip, output=tmp_path))


def test_no_clip_is_one_sentence(tmp_path, capsys):
    assert main(["--clip", str(tmp_path / "none.mp4"), "--only", "loop-back"]) == 2
    said = f"there is no clip {tmp_path}/none.mp4; give the path of a video file"
    assert capsys.readouterr().err == f"benchmarks: {said}\n"
