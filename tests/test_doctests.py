"""The examples of the public names' docstrings are run as they are written, in a folder that has the notebooks."""

import doctest
import shutil
from pathlib import Path

import pytest

import byoc_kit

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
# AudioFrame is pytrickle's.
DOCUMENTED = [name for name in byoc_kit.__all__ if name != "AudioFrame"]
TAKES_SECONDS = {"export", "verify"}

PARSER = doctest.DocTestParser()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    shutil.copytree(NOTEBOOKS / "clips", tmp_path / "clips")
    shutil.copytree(NOTEBOOKS.parent / "export", tmp_path / "export", ignore=shutil.ignore_patterns("wheels"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in TAKES_SECONDS else name for name in DOCUMENTED]
)
@pytest.mark.usefixtures("folder")
def test_the_example_gives_what_it_says(name):
    example = PARSER.get_doctest(getattr(byoc_kit, name).__doc__, {}, name, None, None)
    assert example.examples, f"{name} has no example"
    said = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []
