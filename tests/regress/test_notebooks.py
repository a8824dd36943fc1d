import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from byoc_kit.regress import RegressionError, load_golden, record_golden
from byoc_kit.regress.comparison import MIME_TYPE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks" / "regression"
BUNDLE = ROOT / "export" / "green_tint"
EXAMPLES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
# For each example a value of a parameter that makes other pictures.
OTHERWISE = {"green_tint": {"gain": 2.0}, "motion_trails": {"colour": "ice"}, "neural_comic": {"flat": 0.0}}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a regression notebook by papermill, without a kernelspec or settings of the machine's."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def run(name, **parameters):
        import papermill

        output = tmp_path / "out.ipynb"
        notebook = FOLDER / f"{name}.ipynb"
        try:
            papermill.execute_notebook(notebook, output, parameters, cwd=FOLDER, progress_bar=False, log_output=False)
        finally:
            document = json.loads(output.read_text())
        return [o["data"] for cell in document["cells"] for o in cell.get("outputs", []) if "data" in o]

    return run


@pytest.fixture
def run_cells(monkeypatch):
    """Run the code cells of a regression notebook here, which takes seconds less than a kernel of its own."""
    monkeypatch.chdir(FOLDER)

    def run_cells(name, **parameters):
        namespace = {}
        for cell in nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)  # noqa: S102  # as a kernel would
            if "parameters" in cell.metadata.get("tags", ()):
                namespace |= parameters

    return run_cells


@pytest.fixture
def changed_bundle(tmp_path):
    """The example's bundle with a line of its processor changed."""
    bundle = shutil.copytree(BUNDLE, tmp_path / "changed", ignore=shutil.ignore_patterns("wheels"))
    module = bundle / "processor.py"
    line = "tinted[..., 1] *= params.gain"
    assert line in module.read_text()
    module.write_text(module.read_text().replace(line, "tinted[..., 1] += 0.1"))
    return bundle


def test_each_example_has_a_regression_notebook():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == EXAMPLES == sorted(OTHERWISE)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_notebook_passes_and_shows_a_table_and_a_picture(run, name):
    table, picture = run(name)
    assert table[MIME_TYPE]["is_met"] is True
    assert "frames as recorded" in "".join(table["text/plain"])
    assert "<table>" in "".join(table["text/html"])
    assert "image/png" in picture


def test_papermill_fails_where_the_notebook_does(run):
    from papermill.exceptions import PapermillExecutionError

    with pytest.raises(PapermillExecutionError) as caught:
        run("green_tint", params=OTHERWISE["green_tint"])
    assert caught.value.ename == "RegressionError"
    assert "differs from its golden one by up to" in caught.value.evalue


@pytest.mark.parametrize("name", EXAMPLES)
def test_another_parameter_fails_with_the_frame(run_cells, name):
    with pytest.raises(RegressionError, match="differs from its golden one by up to") as caught:
        run_cells(name, params=OTHERWISE[name])
    assert str(caught.value).endswith("if that is intended, record the golden frames again")


def test_a_changed_processor_fails(run_cells, changed_bundle):
    with pytest.raises(RegressionError, match="differs from its golden one by up to"):
        run_cells("green_tint", bundle=str(changed_bundle))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_golden_frames_are_small_and_made_by_the_call_that_the_notebook_documents(name, tmp_path, monkeypatch):
    golden = FOLDER / "golden" / name
    assert sum(path.stat().st_size for path in golden.iterdir()) < 1_500_000
    (tmp_path / "export").symlink_to(ROOT / "export")
    (tmp_path / "notebooks/regression").mkdir(parents=True)
    (tmp_path / "notebooks/clips").symlink_to(ROOT / "notebooks/clips")
    monkeypatch.chdir(tmp_path / "notebooks/regression")
    cells = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
    first = next(cell.source for cell in cells if cell.cell_type == "code")
    documented = re.search(r"```python\n(.*)\n```", cells[-1].source, re.DOTALL)[1]
    exec(f"{first}\n{documented}", {})  # noqa: S102  # as a reader would
    made, kept = load_golden(f"golden/{name}"), load_golden(golden)
    assert (made.clip_sha256, made.width, made.every, made.params) == (
        kept.clip_sha256,
        kept.width,
        kept.every,
        kept.params,
    )
    assert list(made.pictures) == list(kept.pictures)


def test_a_bundle_that_drops_a_golden_frame_is_not_recorded(changed_bundle, clip, tmp_path):
    module = changed_bundle / "processor.py"
    module.write_text(module.read_text().replace("return frame.replace(tensor=tinted)", "return None"))
    with pytest.raises(RegressionError, match="process_frame drops frame 0"):
        record_golden(changed_bundle, clip, tmp_path / "golden", params={})
    assert not (tmp_path / "golden").exists()
