import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME

from byoc_kit.notebook.analysis import Analysis, part
from byoc_kit.notebook.check import check_notebook, checked_module
from byoc_kit.notebook.declarations import read_capability
from byoc_kit.notebook.module import Module
from byoc_kit.notebook.names import bindings
from byoc_kit.notebook.params_class import params_schema
from byoc_kit.notebook.static_eval import Static

PARAMS = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1\n"


def test_a_part_is_found_once_for_each_analysis(make):
    found = []
    count = part(lambda analysis: found.append(analysis) or len(found))
    one, other = (Analysis(make(("byoc", "x = 1"))) for _ in range(2))
    assert [count(one), count(one), count(other), count(one)] == [1, 1, 2, 1]


def test_a_part_that_cannot_be_found_raises_each_time(make):
    analysis = Analysis(make(("byoc", "def f(")))
    for _ in range(2):
        with pytest.raises(SyntaxError):
            bindings(analysis)


def test_each_part_is_found_once_however_many_ask_for_it(make, monkeypatch):
    made = []
    monkeypatch.setattr("byoc_kit.notebook.module.Module", lambda *of: made.append("module") or Module(*of))
    monkeypatch.setattr("byoc_kit.notebook.static_eval.Static", lambda *of: made.append("static") or Static(*of))
    process_frame = PROCESS_FRAME.replace("frame)", "frame, params: Params)", 1)
    analysis = Analysis(make(*(("byoc", source) for source in (PARAMS, CAPABILITY, process_frame))))
    assert check_notebook(analysis) == []
    assert "class Processor" in checked_module(analysis).source
    assert params_schema(analysis)["properties"].keys() == {"gain"}
    assert read_capability(analysis).model_id == "tint"
    assert sorted(made) == ["module", "static"]


def test_nothing_is_found_before_it_is_asked_for(make):
    analysis = Analysis(make(("byoc", "def f(")))
    assert analysis.found == {}
    assert [vars(cell).keys() & {"tree", "lines"} for cell in analysis.cells] == [set()]


def test_what_is_compiled_by_check_is_what_is_exported(make, monkeypatch):
    compiled = []
    module = sys.modules["byoc_kit.notebook.rules.syntax"]
    parse = module.parse
    monkeypatch.setattr(module, "parse", lambda source: compiled.append(source) or parse(source))
    analysis = Analysis(make(("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)))
    assert compiled == []
    assert check_notebook(analysis) == []
    assert compiled == [checked_module(analysis).source]


@pytest.mark.parametrize("again", ["x = 1", "del x", "y = x"])
def test_two_cells_of_the_same_text_are_told_apart(make, again):
    cells = [("byoc", again), ("byoc", again), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]
    found = [(finding.message, finding.cell) for finding in check_notebook(Analysis(make(*cells)))]
    undefined = [("nothing defines x (also cell 2, line 1)", 1)]
    assert found == ([] if again == "x = 1" else undefined)
