"""A Jupyter server that has the notebook open, as far as it is asked: one answer on the loopback."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.cli import main
from byoc_kit.notebook.open_in_jupyter import is_open_in_jupyter

CELLS = [("", CAPABILITY), ("byoc", PROCESS_FRAME)]
WARNING = (
    "effects.ipynb is open in Jupyter: copy edits that are not saved there, then choose File > Reload "
    "Notebook from Disk; saving it without that takes this change back\n"
)


class Sessions(BaseHTTPRequestHandler):
    def do_GET(self):
        is_known = self.headers["Authorization"] == "token secret" and self.path == "/lab/api/sessions"
        self.send_response(200 if is_known else 403)
        self.end_headers()
        self.wfile.write(json.dumps(self.server.sessions).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    """A server that has `effects.ipynb` open, and what it has noted of itself."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    with ThreadingHTTPServer(("127.0.0.1", 0), Sessions) as server:
        server.sessions = [{"path": "effects.ipynb", "type": "notebook"}, {"path": "a.py", "type": "console"}]
        server.noted = {
            "pid": os.getpid(),
            "root_dir": str(tmp_path),
            "token": "secret",
            "url": f"http://127.0.0.1:{server.server_port}/lab/",
        }
        server.note = lambda **changes: (runtime / "jpserver-1.json").write_text(json.dumps(server.noted | changes))
        server.note()
        thread = threading.Thread(target=server.serve_forever, name="jupyter")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("jupyter")
def test_fix_says_that_the_notebook_is_to_be_reloaded(write_notebook, capsys):
    path = write_notebook(cells=CELLS)
    assert main(["check", "--fix", str(path)]) == 0
    assert capsys.readouterr().err.endswith(f"tagged cell 1 (capability)\n{WARNING}")
    assert main(["check", "--fix", str(path)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("jupyter")
def test_sync_says_so_too(write_notebook, tmp_path, capsys):
    folder = tmp_path / "bundle"
    write(plan_file(write_notebook(), folder))
    module = folder / "processor.py"
    module.write_text(module.read_text().replace("return frame", "return None"))
    assert main(["sync", str(folder)]) == 0
    assert WARNING in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "another"},
        {"root_dir": "/nowhere"},
        {"pid": 2**30},
        {"url": "http://example.org/lab/"},
        {"url": "http://127.0.0.1:1/lab/"},
        {"url": None},
        {"pid": "x"},
    ],
)
def test_what_a_server_does_not_say_is_not_open(jupyter, write_notebook, changes):
    path = write_notebook(cells=CELLS)
    assert is_open_in_jupyter(path)
    jupyter.note(**changes)
    assert not is_open_in_jupyter(path)


def test_another_notebook_or_nonsense_is_not_open(jupyter, write_notebook):
    path = write_notebook(cells=CELLS)
    for sessions in ([{"path": "other.ipynb", "type": "notebook"}], {"message": "no"}, [3], None):
        jupyter.sessions = sessions
        assert not is_open_in_jupyter(path)
