import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME

from byoc_kit.notebook.analysis import analyse
from byoc_kit.notebook.module import render_module
from byoc_kit.notebook.static_eval import Static

PARAMS = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1\n"


def test_each_part_is_found_once_however_many_ask_for_it(make, monkeypatch):
    rendered, read = [], []
    monkeypatch.setattr("byoc_kit.notebook.analysis.render_module", lambda a: rendered.append(1) or render_module(a))
    monkeypatch.setattr("byoc_kit.notebook.analysis.Static", lambda *of: read.append(1) or Static(*of))
    process_frame = PROCESS_FRAME.replace("frame)", "frame, params: Params)", 1)
    analysis = analyse(make(*(("byoc", source) for source in (PARAMS, CAPABILITY, process_frame))))
    assert analysis.findings == []
    assert "class Processor" in analysis.module.source
    assert analysis.schema["properties"].keys() == {"gain"}
    assert analysis.capability.model_id == "tint"
    assert (rendered, read) == ([1], [1])


def test_nothing_is_found_before_it_is_asked_for(make):
    assert vars(analyse(make(("byoc", "def f(")))).keys() == {"notebook", "name", "folder"}


def test_what_is_compiled_by_check_is_what_is_exported(make, monkeypatch):
    compiled = []
    module = sys.modules["byoc_kit.notebook.rules.syntax"]
    parse = module.parse
    monkeypatch.setattr(module, "parse", lambda source: compiled.append(source) or parse(source))
    analysis = analyse(make(("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)))
    assert compiled == []
    assert analysis.findings == []
    assert compiled == [analysis.module.source]


@pytest.mark.parametrize("again", ["x = 1", "del x", "y = x"])
def test_two_cells_of_the_same_text_are_told_apart(make, again):
    cells = [("byoc", again), ("byoc", again), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]
    found = [(finding.code, finding.cell) for finding in analyse(make(*cells)).findings]
    undefined = [("undefined-name", 1), ("undefined-name", 2)]
    assert found == ([] if again == "x = 1" else undefined)
