"""Whatever is wrong with a bundle, each command says it in one sentence."""

import json
import shutil
import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json, plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.cli import main
from byoc_kit.commands.watching import _Watch
from byoc_kit.errors import ByocKitError
from byoc_kit.server.settings import ServerSettings


def without(name):
    return lambda folder: (folder / name).unlink()


def holding(name, content):
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def a_folder(name):
    def change(folder):
        (folder / name).unlink()
        (folder / name).mkdir()

    return change


def saying(**fields):
    """Change fields of the manifest; ``None`` takes one away."""

    def change(folder):
        path = folder / "bundle.json"
        content = {**json.loads(path.read_text()), **fields}
        path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))

    return change


BROKEN = {
    "no processor.py": without("processor.py"),
    "a processor.py that is no text": holding("processor.py", b"\xff\xfe"),
    "a processor.py that is a folder": a_folder("processor.py"),
    "no bundle.json": without("bundle.json"),
    "half a bundle.json": holding("bundle.json", '{"name": '),
    "a bundle.json that is a list": holding("bundle.json", "[]"),
    "a bundle.json of a number": holding("bundle.json", "3"),
    "a bundle.json that is a folder": a_folder("bundle.json"),
    "a bundle.json without a capability": saying(capability=None),
    "a capability that is none": saying(capability={"model_id": 3}),
    "a notebook that is a number": saying(notebook=3),
    "a name that is a number": saying(name=3),
    "hashes that are none": saying(files={"processor.py": 3, "../x": []}),
    "no map": without("processor.map.json"),
    "half a map": holding("processor.map.json", '{"lines": '),
    "a map without cells": holding("processor.map.json", '{"lines": []}'),
    "a map of a list": holding("processor.map.json", "[]"),
    "no lock": without("requirements.lock"),
    "a lock that is none": holding("requirements.lock", "\x00"),
    "no aiModels.json": without("aiModels.json"),
    "half an aiModels.json": holding("aiModels.json", "[{"),
    "an aiModels.json that is a number": holding("aiModels.json", "3"),
    "a schema that is none": holding("params.schema.json", "{"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A notebook and its bundle."""
    folder = tmp_path_factory.mktemp("sound")
    notebook = folder / "effects.ipynb"
    notebook.write_text(notebook_json(("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)))
    write(plan_file(notebook, folder / "export" / "effects"))
    return folder


@pytest.fixture
def broken(sound, tmp_path, monkeypatch):
    """A copy of the bundle, in the working folder, of which a part is broken."""
    folder = tmp_path / "project"
    shutil.copytree(sound, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(tmp_path))  # no Docker here
    yield folder / "export" / "effects"
    sys.modules.pop("processor", None)


def say(arguments, capsys):
    """Return the exit code of a command, and what it says of what is wrong."""
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return code, said.err


READING = {
    "serve": ["serve", "export/effects", "--port", "0"],
    "verify": ["verify", "export/effects", "--clip", "none.mp4"],
    "sync": ["sync", "export/effects"],
    "build": ["build", "export/effects"],
    "export --check": ["export", "--check", "effects.ipynb"],
}


@pytest.fixture(autouse=True)
def nothing_is_served(monkeypatch):
    """A sound bundle is not served for ever."""
    monkeypatch.setattr("byoc_kit.server.serve.serve", lambda *_, **__: 0)


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", READING)
def test_a_broken_bundle_is_one_sentence(broken, capsys, kind, command):
    BROKEN[kind](broken)
    code, said = say(READING[command], capsys)
    assert code in {0, 1, 2}
    if code == 2:
        [line] = said.splitlines()
        assert line.startswith("byoc-kit: ")
        assert line.isprintable()
    else:
        assert said == ""


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if "aiModels" in kind])
def test_the_network_says_what_it_cannot_advertise(broken, capsys, kind):
    BROKEN[kind](broken)
    code, said = say(["network", "export/effects", "--port", "0"], capsys)
    [line] = said.splitlines()
    assert code == 2
    assert "aiModels.json" in line


@pytest.mark.parametrize("kind", BROKEN)
def test_watch_serves_it_or_says_what_is_wrong(broken, kind):
    BROKEN[kind](broken)
    watcher = _Watch(broken.parents[1] / "effects.ipynb", broken, ServerSettings())
    try:
        bundle, processor = watcher._export()
    except ByocKitError as error:
        said = str(error)
    else:
        said = bundle.model_id
        assert processor.hooks.process_frame(3) == 3
    assert said.isprintable()


def test_a_module_that_is_gone_is_reported_by_every_command_that_needs_it(broken, capsys):
    (broken / "processor.py").unlink()
    for command in ("serve", "verify", "sync", "build"):
        assert say(READING[command], capsys) == (
            2, "byoc-kit: export/effects has no processor.py; export the notebook again\n"
        )  # fmt: skip
