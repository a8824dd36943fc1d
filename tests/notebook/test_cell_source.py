import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.cell_source import without_prompts
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.fix import missing_cells
from byoc_kit.notebook.report import as_text

PASTED = {
    "indented as a whole": "    gain = 2\n\n    def f():\n        return gain",
    "Python's prompts": ">>> gain = 2\n>>> def f():\n...     return gain\n...\n",
    "IPython's prompts": "In [1]: gain = 2\n\nIn [2]: def f():\n   ...:     return gain\n   ...:",
    "indented prompts": "   >>> gain = 2\n   >>> def f():\n   ...     return gain",
    "below a magic": "%%time\n    gain = 2\n    def f():\n        return gain",
    "a text that only looks like a prompt": 'gain = """\n>>> 2\n"""\ndef f():\n    return gain',
    "an ellipsis": "gain = f = (\n...\n)",
}


@pytest.mark.parametrize("source", PASTED.values(), ids=PASTED)
def test_python_gets_what_ipython_gives_it(source):
    from IPython.core.inputtransformer2 import TransformerManager

    cleaned = "\n".join(without_prompts(source.split("\n")))
    body = source.removeprefix("%%time\n")
    assert cleaned.removeprefix("%%time\n").strip() == TransformerManager().transform_cell(body).strip()
    compile(cleaned.removeprefix("%%time\n"), "<cell>", "exec")


@pytest.mark.parametrize("source", PASTED.values(), ids=PASTED)
def test_a_cell_is_exported_as_python_gets_it(make, source):
    notebook = make(("byoc", source), ("byoc", f"{CAPABILITY}\ntwice = gain, f"), ("byoc", PROCESS_FRAME))
    assert [finding for finding in check(notebook) if finding.is_error] == []
    compile(checked_module(Analysis(notebook)).source, "processor.py", "exec")


def test_a_cell_without_the_tag_may_be_indented_too(make):
    notebook = make(("", "    gain = 2"), ("byoc", CAPABILITY), ("byoc", f"x = gain\n{PROCESS_FRAME}"))
    assert missing_cells(Analysis(notebook)) == [1]


def test_columns_are_those_of_the_notebooks_own_text(make):
    notebook = make(("byoc", "In [7]: ü = GAIN"), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME))
    [finding] = check(notebook)
    assert as_text([finding], "n.ipynb").startswith(
        """\
error[undefined-name]: nothing defines GAIN
 --> n.ipynb, cell 1 (ü), line 1, column 13
  |
1 | In [7]: ü = GAIN
  |             ^^^^
"""
    )


def test_a_comment_lets_a_finding_of_a_pasted_line_pass(make):
    line = '>>> data = open("/opt/lut.bin")  # byoc: ignore[absolute-path]'
    assert check(make(("byoc", line), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME))) == []
