import json

import pytest

from benchmarks.__main__ import main
from benchmarks.preview_contenders import ALL, choose
from benchmarks.preview_setup import package_versions
from byoc_kit.errors import ByocKitError

MEASURED = ["byoc-kit", "ipywidgets-image", "jupyter-rfb"]


@pytest.mark.browser
def test_a_short_run_sees_frames_of_each_contender(clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("benchmarks.preview_measure.BUSY_CELLS", 2)
    monkeypatch.setattr("benchmarks.preview_measure.SETTLE_S", 2.0)
    options = ["--seconds", "2", "--runs", "1", "--clip", clip, "--output", tmp_path, "--only", *MEASURED]
    code = main(["--preview", *map(str, options)])
    content = json.loads((tmp_path / "preview.json").read_text())
    assert code == int(any(target["is_met"] is False for target in content["targets"]))
    assert [run["contender"] for run in content["runs"]] == MEASURED
    for run in content["runs"]:
        figures = run["figures"]
        assert 0 < figures["shown_fps"] <= 31
        assert figures["latency_p50_ms"] > 0
        assert figures["age_worst_ms"] >= figures["latency_p95_ms"]
        assert min(figures["kernel_cpu"], figures["server_cpu"], figures["page_cpu"]) > 0
        assert (tmp_path / f"preview-{run['contender']}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "preview.svg").exists()
    assert capsys.readouterr().out.endswith(f"wrote {tmp_path}/preview.json, preview.png and preview.svg\n")


@pytest.mark.parametrize(("name", "value"), [("--runs", "0"), ("--seconds", "0")])
def test_nothing_to_measure_is_refused(tmp_path, capsys, name, value):
    assert main(["--preview", name, value, "--output", str(tmp_path)]) == 2
    assert "--runs and --seconds must be 1 at least" in capsys.readouterr().err


def test_contenders_are_chosen_by_name_in_the_usual_order():
    assert choose([]) == list(ALL)
    assert [one.key for one in choose(["jupyter-rfb", "byoc-kit"])] == ["byoc-kit", "jupyter-rfb"]
    with pytest.raises(ByocKitError, match="there is no contender stock; there are byoc-kit, byoc-kit-decoding, "):
        choose(["stock"])


def test_a_missing_package_is_one_sentence():
    with pytest.raises(ByocKitError, match=r"needs no-such-thing; pip install 'byoc-kit\[bench\]'"):
        package_versions(["pillow", "no-such-thing"])
