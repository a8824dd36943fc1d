import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.bundle.module_map import as_exported, read_exported, render_map, split_module, text_sha256
from byoc_kit.core.bundle_reader import BundleError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.module import render_module
from byoc_kit.notebook.notebook_file import parse_notebook


@pytest.fixture
def notebook():
    cells = ("byoc", "import os"), ("byoc", CAPABILITY), ("byoc", f"{PROCESS_FRAME}\n\n\n# the end")
    return parse_notebook(notebook_json(*cells).encode(), name="tint.ipynb")


@pytest.fixture
def module(notebook):
    return render_module(Analysis(notebook))


def test_a_module_is_split_into_what_was_exported(notebook, module):
    exported = as_exported(notebook, module)
    parts = split_module(module.source, exported.markers)
    assert text_sha256(parts.own) == exported.own_sha256
    assert text_sha256(parts.imports) == exported.imports_sha256
    sections = {cell.marker: cell.section_sha256 for cell in exported.cells if cell.section_sha256}
    assert {marker: text_sha256(text) for marker, text in parts.sections.items()} == sections


def test_a_cell_of_imports_alone_has_no_part(notebook, module):
    first, *others = as_exported(notebook, module).cells
    assert (first.label, first.section_sha256) == ("cell 1", None)
    assert all(cell.section_sha256 for cell in others)


def test_the_map_says_how_the_module_was_exported(notebook, module, tmp_path):
    (tmp_path / "processor.map.json").write_text(render_map(notebook, module))
    assert read_exported(tmp_path) == as_exported(notebook, module)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"cells": [{"x": 1}]}', "[" * 100_000])
def test_a_damaged_map_is_one_sentence(tmp_path, text):
    (tmp_path / "processor.map.json").write_text(text)
    with pytest.raises(BundleError, match=r"processor\.map\.json is missing or damaged \(\w+\); export the notebook"):
        read_exported(tmp_path)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text, marker: text.replace(f"{marker}\n", ""), "is gone from processor.py; put it back, or export"),
        (lambda text, marker: text.replace(marker, f"{marker}\n{marker}"), "is in processor.py twice; take it out"),
    ],
)
def test_a_marker_that_is_gone_or_there_twice_is_named(notebook, module, edit, said):
    [marker, *_] = markers = as_exported(notebook, module).markers
    with pytest.raises(BundleError) as caught:
        split_module(edit(module.source, marker), markers)
    assert f"`{marker}` {said}" in str(caught.value)
