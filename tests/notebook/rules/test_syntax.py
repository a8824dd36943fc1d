import json

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, notebook_json, said

from byoc_kit.notebook.notebook_file import parse_notebook


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("%cd ..", "move it to a cell without the tag [magic]"),
        ("%env CUDA_VISIBLE_DEVICES=0", 'write os.environ["CUDA_VISIBLE_DEVICES"] = "..." instead [magic]'),
        (
            "!wget x/w.pt",
            'and name the file that it fetches with byoc_kit.asset("..."), so that the image has it [magic]',
        ),
        ("!pip install torch", "the image gets what is installed here and imported [magic]"),
    ],
)
def test_a_magic_whose_effect_the_container_needs_too(make_sound, line, hint):
    [text] = said(make_sound(line))
    assert text.endswith(hint)


def test_a_tag_that_is_written_in_another_way_is_named():
    document = json.loads(notebook_json(("byoc", PROCESS_FRAME)))
    document["cells"][0]["metadata"]["tags"] = ["BYOC"]
    [finding] = check(parse_notebook(json.dumps(document).encode(), name="n.ipynb"))
    assert (finding.code, finding.hint) == ("no-tagged-cell", "the tag is `byoc`, written so; there is `BYOC`")


@pytest.mark.parametrize("cells", [[], [("", "x = 1")], [("byoc", " \n")], [("markdown", "# byoc")]])
def test_no_tagged_cell(make, cells):
    assert said(make(*cells)) == [
        "effects.ipynb: no code cell with something in it is tagged; tag the cells that belong in the container `byoc` "
        "(right sidebar, property inspector, Cell Tags) [no-tagged-cell]"
    ]


@pytest.mark.parametrize(
    ("source", "line", "shown"),
    [
        ("x = 1\n%run other.ipynb", 2, "%run other.ipynb"),
        ("%%bash\necho \"it's", 1, "%%bash"),
        ("!ls", 1, "!ls"),
        ("x = !ls", 1, "x = !ls"),
        ("x = 1\n\nx, y = %magic 3", 3, "x, y = %magic 3"),
        ("len?", 1, "len?"),
        ("a.b??", 1, "a.b??"),
        ("?len", 1, "?len"),
        ("def f():\n    %time g()", 2, "%time g()"),
        ("%load " + 80 * "x", 1, "%load " + 50 * "x" + " ..."),
    ],
)
def test_magic(make, source, line, shown):
    assert said(make(("byoc", CAPABILITY), ("byoc", source))) == [
        f"effects.ipynb, cell 2, line {line}: `{shown}` is IPython, not Python; "
        "move it to a cell without the tag [magic]"
    ]


def test_what_looks_like_a_magic_in_a_string_is_none(make):
    assert said(make(("byoc", 'x = """\n%time\n"""\ny = = 2'))) == [
        "effects.ipynb, cell 1, line 4: invalid syntax: `y = = 2`; correct it, or remove the tag [syntax-error]"
    ]


@pytest.mark.parametrize(
    ("source", "said_of_it"),
    [
        ("x = (", ", line 1: '(' was never closed: `x = (`"),
        ("return 3", ", line 1: 'return' outside function: `return 3`"),
        ("x = '\x00'", ": source code string cannot contain null bytes"),
        ("x = 1\n" + "+".join(["x"] * 30_000), ": too deeply nested"),
        ("x = 1\ny = " + "-" * 300 + "x", ": too deeply nested"),
    ],
)
def test_syntax_error(make, source, said_of_it):
    assert said(make(("markdown", "hm"), ("byoc", source))) == [
        f"effects.ipynb, cell 2{said_of_it}; correct it, or remove the tag [syntax-error]"
    ]


def test_half_a_surrogate_pair_is_a_syntax_error(make):
    [finding] = check(make(("byoc", "x = '\ud83d'")))
    assert (finding.code, finding.cell) == ("syntax-error", 1)


def test_every_cell_that_is_no_python_is_named(make):
    findings = check(make(("byoc", "x ="), ("byoc", "%time"), ("byoc", "y = 1")))
    assert [(finding.code, finding.cell) for finding in findings] == [("syntax-error", 1), ("magic", 2)]


def test_what_only_the_whole_module_shows_is_named_by_its_cell(make):
    assert said(make(("byoc", "x = 1"), ("", ""), ("byoc", "y = 1\n\nglobal x"))) == [
        "effects.ipynb, cell 3, line 3: name 'x' is assigned to before global declaration: `global x`; "
        "correct it, or remove the tag [syntax-error]"
    ]


def test_a_future_import_below_a_cells_own_docstring_is_sound(make_sound):
    source = '# mine\n"""Mine."""\nfrom __future__ import (\n    annotations,\n)\nx: Later = 1\nclass Later: ...'
    assert said(make_sound(source)) == []
    [finding] = check(make_sound(f"{source}\ny = GAIN"))
    assert (finding.code, finding.cell, finding.line) == ("undefined-name", 1, 8)


def test_a_future_import_that_shares_its_line_with_a_docstring_does_not(make):
    [finding] = check(make(("byoc", '"""Mine."""; from __future__ import annotations')))
    assert (finding.code, finding.cell, finding.line) == ("future-import", 1, 1)


def test_future_import(make):
    assert said(make(("", ""), ("byoc", "x = 1"), ("byoc", "# late\nfrom __future__ import annotations"))) == [
        "effects.ipynb, cell 3, line 2: `from __future__` works only at the top of the module; "
        "move it to the top of cell 2, the first tagged one [future-import]"
    ]


def test_a_future_import_in_the_first_tagged_cell_is_sound(make_sound):
    assert said(make_sound("from __future__ import annotations")) == []


@pytest.mark.parametrize("source", ["%%time\nx = 1", "%load_ext autoreload\n%autoreload 2", "x = 1\n%config A.b = 2"])
def test_harmless_magics_do_not_stop_an_export(make_sound, source):
    assert {finding.code for finding in check(make_sound(source))} == {"dropped-magic"}


def test_a_harmless_magic_in_a_string_is_text(make_sound):
    assert check(make_sound('x = """\n%matplotlib inline\n"""')) == []
