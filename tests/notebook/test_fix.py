import json

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit.cli import main
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.fix import fix, missing_cells
from byoc_kit.notebook.notebook_file import NotebookError

USES_GAIN = "def process_frame(frame):\n    return scaled(frame)"


@pytest.fixture
def analyse(make):
    return lambda *cells: Analysis(make(*cells))


def test_the_cells_that_are_needed_are_found_and_no_other(make):
    notebook = make(
        ("", "import numpy as np"),
        ("", "GAIN = 1"),
        ("", "unused = 2"),
        ("", "GAIN = 2"),
        ("", "def scaled(frame):\n    return np.multiply(frame.pixels, GAIN)"),
        ("byoc", CAPABILITY),
        ("byoc", USES_GAIN),
        ("", "GAIN = 3"),
    )
    assert missing_cells(Analysis(notebook)) == [1, 4, 5]


def test_a_notebook_without_a_tag_gets_them_all(make):
    notebook = make(("", CAPABILITY), ("", "x = 1"), ("", PROCESS_FRAME))
    assert missing_cells(Analysis(notebook)) == [1, 3]


def test_a_hook_that_the_notebook_calls_is_missing_too(analyse):
    hooks = ("", "def load_model():\n    warm_up()"), ("", "def warm_up(): ..."), ("", "def on_stream_stop(): ...")
    assert missing_cells(analyse(("", CAPABILITY), *hooks, ("", PROCESS_FRAME))) == [1, 2, 3, 4, 5]
    tagged = ("byoc", "def load_model(): ...")
    assert missing_cells(analyse(("byoc", CAPABILITY), hooks[0], tagged, ("byoc", PROCESS_FRAME))) == []


def test_nothing_is_found_where_nothing_defines_it(analyse):
    assert missing_cells(analyse(("byoc", CAPABILITY), ("byoc", USES_GAIN))) == []


@pytest.mark.parametrize(
    "layout", [{"indent": 1}, {"indent": 2}, {"indent": "\t"}, {}, {"indent": 1, "sort_keys": True}]
)
def test_only_the_tags_change_in_the_file(tmp_path, layout):
    path = tmp_path / "n.ipynb"
    cells = ("", "def scaled(frame): return frame  # ü"), ("byoc", CAPABILITY), ("byoc", USES_GAIN)
    before = json.dumps(json.loads(notebook_json(*cells)), ensure_ascii=False, **layout) + "\n"
    path.write_text(before)
    path.chmod(0o640)
    done = fix(path)
    after = path.read_text()
    assert ([cell.number for cell in done.tagged], done.before, done.after) == ([1], before, after)
    document = json.loads(before)
    document["cells"][0]["metadata"]["tags"] = ["byoc"]
    assert after == json.dumps(document, ensure_ascii=False, **layout) + "\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["n.ipynb"]


def test_the_command_shows_the_diff_and_checks_again(write_notebook, capsys):
    cells = [("", "def scaled(frame): return frame"), ("byoc", CAPABILITY), ("byoc", USES_GAIN)]
    path = write_notebook(cells=cells)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert main(["check", "--fix", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{path}: no problems found; it can be exported\n"
    assert said.err.endswith("\ntagged cell 1 (scaled)\n")
    assert [line for line in said.err.splitlines() if line[0] in "+-"] == [
        f"--- a/{path}",
        f"+++ b/{path}",
        '-   "metadata": {},',
        '+   "metadata": {',
        '+    "tags": [',
        '+     "byoc"',
        "+    ]",
        "+   },",
    ]
    before = path.read_bytes()
    assert main(["check", "--fix", str(path)]) == 0
    assert (capsys.readouterr().err, path.read_bytes()) == ("", before)


def test_a_notebook_that_cannot_be_written_is_as_it_was(tmp_path, capsys):
    assert main(["check", "--fix", str(tmp_path / "none.ipynb")]) == 2
    assert "there is no notebook" in capsys.readouterr().err


def test_a_notebook_that_is_saved_in_the_meantime_is_left_so(write_notebook, monkeypatch):
    path = write_notebook(cells=[("", "def scaled(frame): return frame"), ("byoc", CAPABILITY), ("byoc", USES_GAIN)])
    other = notebook_json(("byoc", PROCESS_FRAME))

    def found_while_somebody_saves(_):
        path.write_text(other)
        return [1]

    monkeypatch.setattr("byoc_kit.notebook.fix.missing_cells", found_while_somebody_saves)
    with pytest.raises(NotebookError, match="saved by somebody else in the meantime"):
        fix(path)
    assert path.read_text() == other


def test_all_that_the_hints_say_is_done_at_once_the_class_of_the_parameters_too(write_notebook, capsys):
    cells = [
        ("", "from byoc_kit import Params"),
        ("", "class Params(Params):\n    gain: float = 1.0"),
        ("", "def scaled(frame, params):\n    return frame * params.gain"),
        ("", CAPABILITY),
        ("byoc", "def process_frame(frame, params):\n    return scaled(frame, params)"),
    ]
    assert main(["check", "--fix", str(write_notebook(cells=cells))]) == 0
    assert "tagged cell 1, cell 2 (Params), cell 3 (scaled), cell 4 (capability)\n" in capsys.readouterr().err


def test_what_is_left_is_reported_to_need_an_edit(write_notebook, capsys):
    path = write_notebook(cells=[("", CAPABILITY), ("byoc", "def process_frame(frame):\n    return GAIN")])
    assert main(["check", "--fix", str(path)]) == 1
    said = capsys.readouterr()
    assert "tagged cell 1 (capability)\n" in said.err
    assert said.err.endswith("--fix sets tags and changes no code: fix the rest yourself\n")
    assert "nothing defines GAIN" in said.out
