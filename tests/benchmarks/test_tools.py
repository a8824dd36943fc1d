import json
from pathlib import Path

import pytest

from benchmarks import tools
from benchmarks.tools import Wait, bench_tools
from byoc_kit.errors import ByocKitError

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks/green_tint.ipynb"


def test_a_median_is_held_against_its_limit():
    assert Wait("x", [1.0, 2.0, 900.0], 2.0).verdict.is_met
    assert not Wait("x", [1.0, 2.1, 2.2], 2.0).verdict.is_met


def test_everything_is_measured_and_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tools, "_TIMES", 1)
    monkeypatch.setattr(tools, "_SAVES", 2)
    code = bench_tools([NOTEBOOK], tmp_path)
    content = json.loads((tmp_path / "tools.json").read_text())
    assert [len(wait["times_ms"]) for wait in content["waits"]] == [1, 1, 1, 2]
    assert all(time_ms > 0 for wait in content["waits"] for time_ms in wait["times_ms"])
    assert code == int(not all(target["is_met"] for target in content["targets"]))
    assert "watch green_tint.ipynb, from save to served, median of 2" in capsys.readouterr().out


def test_a_notebook_that_cannot_be_served_is_reported(tmp_path):
    broken = tmp_path / "broken.ipynb"
    broken.write_text("{")
    with pytest.raises(ByocKitError, match=r"broken\.ipynb is not valid JSON"):
        tools._watch_ms(broken)
