"""Notebooks in many styles, none like the examples: each is exported as it stands, and makes what it makes at home."""

import hashlib
import zipfile
from pathlib import Path

import nbformat
import pytest
from notebook_rig import check

from byoc_kit.bundle.lock import parse_lock
from byoc_kit.cli import main
from byoc_kit.notebook.notebook_file import read_notebook

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_many_styles():
    assert len(NOTEBOOKS) >= 20


@each_notebook
def test_it_is_a_valid_notebook_without_outputs(notebook):
    document = nbformat.read(notebook, as_version=nbformat.NO_CONVERT)
    nbformat.validate(document)
    assert not any(cell.get("outputs") for cell in document.cells)


@each_notebook
@pytest.mark.usefixtures("_own_packages_installed")
def test_check_finds_no_errors(notebook):
    assert [str(finding) for finding in check(read_notebook(notebook)) if finding.is_error] == []


@each_notebook
def test_it_is_exported(notebook, bundle_of):
    assert isinstance(bundle_of(notebook.stem), Path), bundle_of(notebook.stem)


@each_notebook
def test_the_exported_module_makes_a_picture(notebook, shapes):
    shape = shapes[notebook.stem]
    assert isinstance(shape, list), shape
    assert shape == ([18, 32, 3] if notebook.stem == "half_size" else [36, 64, 3])


def test_a_package_that_is_a_link_to_its_source_goes_as_a_wheel_of_it(bundle_of):
    folder = bundle_of("editable_package")
    assert isinstance(folder, Path), folder
    [pin] = [one for one in parse_lock((folder / "requirements.lock").read_text()) if one.name == "studio-grade"]
    wheel = folder / "wheels" / "studio_grade-0.2.0-py3-none-any.whl"
    assert pin.is_carried
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == pin.sha256
    with zipfile.ZipFile(wheel) as archive:
        assert "studiograde/curves.py" in archive.namelist()


@pytest.mark.styles
@each_notebook
@pytest.mark.usefixtures("_own_packages_installed")
def test_notebook_module_and_server_agree(notebook, bundle_of, tmp_path, short_clip, capsys):
    # A busy machine may drop frames in real time; how many come back at rest is `make demo`'s business.
    options = ["--clip", str(short_clip), "--report", str(tmp_path), "--min-frames", "0.1"]
    code = main(["verify", str(bundle_of(notebook.stem)), *options])
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
