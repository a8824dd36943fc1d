"""Each command analyses a notebook once, and puts its module together once."""

import shutil
from pathlib import Path

import pytest

from byoc_kit.bundle.drift import why_bundle_is_stale
from byoc_kit.cli import main
from byoc_kit.core.bundle_reader import read_bundle
from byoc_kit.jupyter.ship.overview import Target, read_overview
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.exporter import ByocExporter
from byoc_kit.notebook.module import Module

EXAMPLE = Path(__file__).parents[1]


@pytest.fixture
def example(tmp_path):
    """A notebook with its bundle, as the repository has one."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(EXAMPLE / "notebooks" / "green_tint.ipynb", tmp_path / "notebooks")
    shutil.copytree(EXAMPLE / "export" / "green_tint", tmp_path / "export" / "green_tint")
    return tmp_path / "notebooks" / "green_tint.ipynb", tmp_path / "export" / "green_tint"


@pytest.fixture
def made(monkeypatch):
    """Count the analyses and the modules that are made."""
    made = []
    init = Analysis.__init__
    monkeypatch.setattr(Analysis, "__init__", lambda self, *of: made.append("analysis") or init(self, *of))
    monkeypatch.setattr("byoc_kit.notebook.module.Module", lambda *of: made.append("module") or Module(*of))
    return made


COMMANDS = {
    "check": lambda notebook, _: main(["check", str(notebook)]),
    "export": lambda notebook, _: main(["export", str(notebook)]),
    "export --check": lambda notebook, _: main(["export", "--check", str(notebook)]),
    "sync": lambda _, bundle: main(["sync", str(bundle)]),
    "verify": lambda _, bundle: why_bundle_is_stale(read_bundle(bundle)),
    "regress": lambda _, bundle: why_bundle_is_stale(read_bundle(bundle), as_it_runs=True),
    "ship": lambda notebook, _: read_overview(Target(notebook)),
    "nbconvert": lambda notebook, _: ByocExporter().from_filename(str(notebook)),
}


def test_sync_of_an_edit_puts_the_module_together_once(example, made):
    notebook, bundle = example
    processor = bundle / "processor.py"
    edited = processor.read_text().replace("*= params.gain", "*= 2 * params.gain")
    processor.write_text(edited)
    COMMANDS["sync"](notebook, bundle)
    assert "2 * params.gain" in notebook.read_text()
    assert made.count("module") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_makes_one_analysis_and_one_module(example, made, command):
    COMMANDS[command](*example)
    assert sorted(made) == ["analysis", "module"]
