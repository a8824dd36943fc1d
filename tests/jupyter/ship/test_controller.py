import sys

from byoc_kit.jupyter.ship import controller
from byoc_kit.system.processes import Tail


async def test_the_kernels_drawing_backend_is_not_handed_on(tmp_path, monkeypatch):
    code = "import os; print(os.environ.get('MPLBACKEND'))"
    monkeypatch.setattr(controller, "command", lambda arguments: [sys.executable, *arguments])
    for value, seen in (("module://matplotlib_inline.backend_inline", "None"), ("agg", "agg")):
        monkeypatch.setenv("MPLBACKEND", value)
        log = Tail()
        assert await controller.run(["-c", code], tmp_path, log) == 0
        assert log.lines == [seen]


async def test_byoc_kit_runs_in_the_notebooks_folder_with_its_exit_code(tmp_path):
    log = Tail()
    assert await controller.run(["check", "nowhere.ipynb"], tmp_path, log) == 2
    assert log.lines == ["byoc-kit: there is no notebook nowhere.ipynb; give the path of an .ipynb file"]
