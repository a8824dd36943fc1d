"""Runs a command of ``byoc-kit`` in an empty folder, beside a notebook."""

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.cli import main

SOUND = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def write(tmp_path):
    """Write effects.ipynb of (kind, source) pairs."""
    return lambda *cells: (tmp_path / "effects.ipynb").write_text(notebook_json(*cells))
