import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.notebook_file import read_notebook

pytestmark = pytest.mark.slow

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "green_tint.ipynb"


@pytest.fixture
def exporter():
    from nbconvert.exporters import get_exporter

    return get_exporter("byoc")()


@pytest.fixture
def exported():
    return checked_module(Analysis(read_notebook(NOTEBOOK))).source


def nbconvert(*arguments, cwd):
    """Run the real command, with Jupyter's folders in `cwd`."""
    settings = {name: str(cwd / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "nbconvert", "--to", "byoc", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=os.environ | settings, capture_output=True, text=True, check=False)


def test_the_command_writes_what_the_bundle_has(tmp_path, exported):
    done = nbconvert(NOTEBOOK, "--output", "processor", "--output-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "processor.py").read_bytes() == exported.encode()


def test_the_command_names_the_cell_of_a_fault(tmp_path):
    document = json.loads(NOTEBOOK.read_text())
    document["cells"][5]["source"] = "%time"
    (tmp_path / "effects.ipynb").write_text(json.dumps(document))
    done = nbconvert("effects.ipynb", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().endswith(
        "effects.ipynb, cell 6, line 1: `%time` is IPython, not Python; move it to a cell without the tag [magic]"
    )
    assert not (tmp_path / "effects.py").exists()


def test_a_file_is_exported_as_the_bundle_has_it(exporter, exported):
    source, resources = exporter.from_filename(str(NOTEBOOK))
    assert (source, resources["output_extension"]) == (exported, ".py")


def test_jupyterlab_exports_the_same(exporter, exported):
    import nbformat

    resources = {"metadata": {"name": "green_tint", "modified_date": "today"}, "config_dir": "/etc"}
    source, resources = exporter.from_notebook_node(nbformat.read(NOTEBOOK, as_version=4), resources=resources)
    assert (source, resources["output_extension"]) == (exported, ".py")


def test_a_stream_without_a_name_is_exported(exporter):
    with NOTEBOOK.open() as stream:
        source, _ = exporter.from_file(stream)
    assert "# %% cell 2" in source


def test_jupyterlab_offers_it_without_loading_what_is_heavy():
    code = (
        "import sys; from nbconvert.exporters import get_exporter; exporter = get_exporter('byoc')();"
        "print(exporter.export_from_notebook, [name for name in ('torch', 'av', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "BYOC processor []"
