import json
import math
from dataclasses import replace

from benchmarks.figures import Figures
from benchmarks.record import Record, write_json


def test_medians_are_of_all_runs_of_a_contender(record, whole):
    one = record(byoc_kit=whole)
    runs = [replace(one.runs[0], figures=Figures(cpu_s=cpu_s)) for cpu_s in (1, 2, 9)]
    assert Record(one.settings, one.machine, runs).medians == {"byoc-kit": Figures(cpu_s=2)}


def test_a_quiet_machine_gives_no_warning(record, whole):
    assert record(byoc_kit=whole, ffmpeg=Figures(cpu_s=1)).warnings == []


def test_a_stream_that_did_not_end_is_a_warning(record, whole):
    assert record(stock=whole, is_ended=False).warnings == ["did not end the stream after its input: stock"]


def test_the_json_holds_everything_and_no_number_json_does_not_know(record, whole, tmp_path):
    file = tmp_path / "bench.json"
    write_json(record(byoc_kit=whole, stock_blocking=replace(whole, latency_p95_ms=math.inf)), file)
    content = json.loads(file.read_text(), parse_constant=lambda word: word)
    assert list(content) == ["settings", "machine", "warnings", "medians", "targets", "runs"]
    assert content["medians"]["stock-blocking"]["latency_p95_ms"] is None
    assert content["runs"][0] == {
        "contender": "byoc-kit",
        "round": 1,
        "load": 0.1,
        "is_ended": True,
        "figures": content["medians"]["byoc-kit"],
        "latencies": [[0.0, 5.0]],
        "memory": [[0.0, 300.0]],
    }
