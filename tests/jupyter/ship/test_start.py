import subprocess
import sys

import nbclient
import nbformat
import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME

import byoc_kit
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.ship import ship, start
from byoc_kit.jupyter.ship.panel import Panel
from byoc_kit.notebook.notebook_file import NotebookError

SOUND = [("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]


@pytest.fixture
def in_cell(monkeypatch):
    """Run as a cell of JupyterLab: ``in_cell(cell_id, run)``."""

    def enter(cell, run):
        message = {"content": {"allow_stdin": True}, "metadata": {"cellId": cell}, "header": {"msg_id": run}}
        monkeypatch.setattr(kernel, "parent_message", lambda: message)

    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield enter
    for cell in ("a", "b"):
        start._panels.close_earlier((cell, "the end"))


def test_each_import_gives_the_same_function(write_notebook, capsys):
    from byoc_kit import ship as first
    from byoc_kit import ship as second

    path = write_notebook(cells=SOUND)
    said = []
    for call in (first, second, byoc_kit.ship, ship):
        call(path).close()
        said.append(capsys.readouterr().out)
    assert len({*said}) == 1


def test_importing_it_stays_light():
    heavy = {"torch", "av", "pyflakes", "ipywidgets", "IPython"}
    code = f"import sys, byoc_kit.jupyter.ship; print(sorted({heavy} & {{*sys.modules}}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_opening_it_imports_no_torch(write_notebook):
    path = write_notebook(cells=SOUND)
    code = f"import sys, byoc_kit; byoc_kit.ship({str(path)!r}); print('torch' in sys.modules, 'av' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).endswith("\nFalse False\n")


def test_where_nobody_looks_on_it_prints_cells_and_findings(write_notebook):
    cells = [*SOUND, ("byoc", "x = GAIN")]
    write_notebook(cells=cells)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("import byoc_kit\nbyoc_kit.ship('effects.ipynb')")]
    nbclient.execute(notebook, cwd=write_notebook(cells=cells).parent)
    [output] = notebook.cells[0].outputs
    assert output.name == "stdout"
    assert "goes  3     x              x = GAIN" in output.text
    assert output.text.endswith("effects.ipynb: 1 error\n")


def test_where_nobody_looks_on_an_unknown_notebook_fails_nothing(capsys, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    ship()
    said = 'byoc_kit.ship: nothing here tells which notebook this is; give its path: ship("my_model.ipynb")\n'
    assert capsys.readouterr().out == said


def test_where_somebody_looks_on_an_unknown_notebook_is_an_error(in_cell):
    in_cell("a", "1")
    with pytest.raises(kernel.UnknownNotebookError, match="give its path"):
        ship()


def test_this_notebook_is_the_running_one(in_cell, write_notebook, monkeypatch):
    path = write_notebook(cells=SOUND)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    in_cell("a", "1")
    assert ship()._controller.overview.target.notebook == path


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_path_that_is_no_notebook_is_the_readers_error(in_cell, tmp_path, is_watched):
    if is_watched:
        in_cell("a", "1")
    with pytest.raises(NotebookError, match="there is no notebook"):
        ship(tmp_path / "gone.ipynb")
    (tmp_path / "text.ipynb").write_text("no notebook")
    with pytest.raises(NotebookError, match=r"text\.ipynb is not valid JSON"):
        ship(tmp_path / "text.ipynb")


def test_running_a_cell_again_closes_its_earlier_panels(in_cell, write_notebook):
    path = write_notebook(cells=SOUND)
    in_cell("a", "1")
    old, beside = ship(path), ship(path)
    for panel in (old, beside):
        panel.start()
    in_cell("b", "2")
    other = ship(path)
    in_cell("a", "3")
    new = ship(path)
    assert isinstance(new, Panel)
    assert old.view.comm is beside.view.comm is None
    assert not old._thread._thread.is_alive()
    assert other.view.comm is not None
