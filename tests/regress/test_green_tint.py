import json
import shutil
from pathlib import Path

import pytest

from byoc_kit.regress import RegressionError, load_golden, record_golden
from byoc_kit.regress.comparison import MIME_TYPE

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks" / "regression"
BUNDLE = ROOT / "export" / "green_tint"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the regression notebook by papermill, without a kernelspec or settings of the machine's."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def run(**parameters):
        import papermill

        output = tmp_path / "out.ipynb"
        notebook = FOLDER / "green_tint.ipynb"
        try:
            papermill.execute_notebook(notebook, output, parameters, cwd=FOLDER, progress_bar=False, log_output=False)
        finally:
            document = json.loads(output.read_text())
        return [o["data"] for cell in document["cells"] for o in cell.get("outputs", []) if "data" in o]

    return run


@pytest.fixture
def changed_bundle(tmp_path):
    """The example's bundle with a line of its processor changed."""
    bundle = shutil.copytree(BUNDLE, tmp_path / "changed", ignore=shutil.ignore_patterns("wheels"))
    module = bundle / "processor.py"
    line = "tinted[..., 1] *= params.gain"
    assert line in module.read_text()
    module.write_text(module.read_text().replace(line, "tinted[..., 1] += 0.1"))
    return bundle


def test_the_notebook_passes_and_shows_a_table_and_a_picture(run):
    table, picture = run()
    assert table[MIME_TYPE]["is_met"] is True
    assert "frames as recorded" in "".join(table["text/plain"])
    assert "<table>" in "".join(table["text/html"])
    assert "image/png" in picture


def test_another_gain_fails_with_the_frame(run):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError) as caught:
        run(gain=2.0)
    assert caught.value.ename == "RegressionError"
    assert "differs from its golden one by up to" in caught.value.evalue
    assert caught.value.evalue.endswith("if that is meant, record the golden frames anew")


def test_a_changed_processor_fails(run, changed_bundle):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError, match="differs from its golden one by up to"):
        run(bundle=str(changed_bundle))


def test_the_golden_frames_are_small_and_made_by_the_documented_call(tmp_path, clip):
    golden = FOLDER / "golden" / "green_tint"
    assert sum(path.stat().st_size for path in golden.iterdir()) < 1_500_000
    made = record_golden(BUNDLE, clip, tmp_path / "golden", params={"gain": 1.4})
    kept = load_golden(golden)
    assert (made.clip_sha256, made.width, made.every, made.params) == (
        kept.clip_sha256,
        kept.width,
        kept.every,
        kept.params,
    )
    assert list(made.pictures) == list(kept.pictures) == list(load_golden(tmp_path / "golden").pictures)


def test_a_bundle_that_drops_a_golden_frame_is_not_recorded(changed_bundle, clip, tmp_path):
    module = changed_bundle / "processor.py"
    module.write_text(module.read_text().replace("return frame.replace(tensor=tinted)", "return None"))
    with pytest.raises(RegressionError, match="process_frame drops frame 0"):
        record_golden(changed_bundle, clip, tmp_path / "golden", params={})
    assert not (tmp_path / "golden").exists()
