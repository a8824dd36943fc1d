import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook_rig import check

from byoc_kit.errors import ByocKitError
from byoc_kit.notebook.notebook_file import NotebookError, parse_notebook, read_notebook


def refusal(raw):
    with pytest.raises(NotebookError) as caught:
        parse_notebook(raw, name="effects.ipynb")
    return str(caught.value)


def test_cells_are_counted_from_one_and_keep_their_tags(make):
    notebook = make(("markdown", "# Effects"), ("", "x = 1"), ("byoc", "y = 2"))
    assert [cell.number for cell in notebook.cells] == [1, 2, 3]
    assert [cell.number for cell in notebook.exported] == [3]
    assert notebook.title == "Effects"


def test_a_source_may_be_a_list_of_lines():
    cell = {"cell_type": "code", "metadata": {"tags": ["byoc"]}, "source": ["a = 1\n", "b = 2"]}
    assert parse_notebook(json.dumps({"cells": [cell]}).encode(), name="a.ipynb").cells[0].lines == ["a = 1", "b = 2"]


def test_only_line_feeds_end_a_line(make):
    source = 'a = "x\u2028y"\r\nb = "\x0cz"\rc = 3\n\n   \n'
    assert make(("byoc", source)).cells[0].lines == ['a = "x\u2028y"', 'b = "\x0cz"', "c = 3"]


@pytest.mark.parametrize(
    ("markdown", "title"),
    [
        ("Words first\n\n## Green  tint ##\n", "Green tint"),
        ("#hashtag", "effects"),
        ("# ", "effects"),
        ("", "effects"),
        ("# a\u2028b\x00c", "a b c"),
    ],
)
def test_the_title_is_the_first_heading_else_the_files_name(make, markdown, title):
    assert make(("markdown", markdown)).title == title


@pytest.mark.parametrize(
    ("own_id", "source", "label"),
    [
        ("blur-filter", "def f(): ...", "cell 2 (blur-filter)"),
        ("0f3a55d1", "X = 1\nasync def f(): ...\nclass G: ...", "cell 2 (f)"),
        ("26d97098-95f2-4c31-8b36-6ddf4d3f8018", "X: int = 1", "cell 2 (X)"),
        ("kR2hJ1mQyT3l", "import os", "cell 2"),
        ("0f3a55d1", "def f(:", "cell 2"),
        (None, "X = 1", "cell 2 (X)"),
    ],
)
def test_a_cell_is_called_by_what_a_person_wrote(own_id, source, label):
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "metadata": {"tags": ["byoc"]}, "source": source, "id": own_id},
    ]
    assert parse_notebook(json.dumps({"cells": cells}).encode(), name="a.ipynb").cells[1].label == label


def test_the_first_code_below_a_heading_is_called_by_it(make):
    notebook = make(
        ("markdown", "# Title"),
        ("byoc", "A = 1"),
        ("markdown", "Text\n\n## Soft  *blur*"),
        ("byoc", "B = 1"),
        ("byoc", "C = 1"),
        ("markdown", f"## {'x' * 99}"),
        ("markdown", "Text"),
        ("byoc", "D = 1"),
    )
    labels = [cell.label for cell in notebook.exported]
    assert labels == ["cell 2 (A)", "cell 4 (Soft *blur*)", "cell 5 (C)", f"cell 8 ({'x' * 40} ...)"]


def test_a_missing_notebook_is_one_line(tmp_path):
    with pytest.raises(NotebookError) as caught:
        read_notebook(tmp_path / "effects.ipynb")
    assert str(caught.value) == f"there is no notebook {tmp_path}/effects.ipynb; give the path of an .ipynb file"


def test_a_folder_is_no_notebook(tmp_path):
    with pytest.raises(NotebookError) as caught:
        read_notebook(tmp_path)
    assert str(caught.value) == (
        f"cannot read {tmp_path}: Is a directory; give the path of an .ipynb file that can be read"
    )


def test_what_is_no_json_is_reported_with_the_place():
    assert refusal(b'{"cells": [') == (
        "effects.ipynb is not valid JSON (Expecting value: line 1 column 12 (char 11)); "
        "save the notebook again, or restore it"
    )
    assert refusal(b"\xff\xfe\x00") == "effects.ipynb is not a text file; give the path of an .ipynb file"
    assert refusal(b"[" * 100_000).startswith("effects.ipynb is not valid JSON (")


@pytest.mark.parametrize("raw", [b"[]", b"{}", b'{"cells": {}}', b"3"])
def test_json_without_cells_is_no_notebook(raw):
    assert refusal(raw) == (
        "effects.ipynb is not a notebook: it has no list of cells; give an .ipynb file of nbformat 4"
    )


def test_a_notebook_of_nbformat_3_is_told_how_to_convert():
    assert refusal(b'{"nbformat": 3, "worksheets": [{"cells": []}]}') == (
        "effects.ipynb is of an old format; convert it with `jupyter nbconvert --to notebook --inplace effects.ipynb`"
    )


@pytest.mark.parametrize("cell", [3, None, {"source": 3}, {"source": ["a", 3]}])
def test_a_malformed_cell_is_named(cell):
    raw = json.dumps({"cells": [{"cell_type": "code", "source": ""}, cell]}).encode()
    assert refusal(raw) == "effects.ipynb, cell 2 is malformed; save the notebook again, or restore it"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
CELLS = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown"]) | JSON},
    optional={
        "source": st.text() | st.lists(st.text()) | JSON,
        "metadata": st.fixed_dictionaries({"tags": st.just(["byoc"]) | JSON}) | JSON,
    },
)
DOCUMENTS = st.fixed_dictionaries({}, optional={"cells": st.lists(CELLS | JSON) | JSON, "worksheets": JSON})


@settings(deadline=None)
@given(st.binary() | (DOCUMENTS | JSON).map(lambda document: json.dumps(document).encode()))
def test_whatever_the_file_holds_it_is_read_or_refused_in_one_line(raw):
    try:
        findings = check(parse_notebook(raw, name="effects.ipynb"))
    except ByocKitError as error:
        said = [str(error)]
    else:
        said = [str(finding) for finding in findings]
    assert all(len(text.splitlines()) == 1 for text in said)
