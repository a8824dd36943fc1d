import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, said


def test_undefined_name(make_sound):
    assert said(make_sound("x = 1\ny = GAIN")) == [
        "effects.ipynb, cell 1, line 2: nothing defines GAIN; define or import it [undefined-name]"
    ]


@pytest.mark.parametrize(
    "source",
    ["GAIN = 2", "%matplotlib inline\nGAIN, x = 2, 3", "for GAIN in 1, 2: pass", "import math as GAIN", "(GAIN := 2)"],
)
def test_undefined_name_that_an_untagged_cell_defines(make, source):
    body = "def process_frame(frame):\n    return frame * GAIN"
    assert said(make(("byoc", CAPABILITY), ("", "def f():\n    GAIN = 1"), ("", source), ("byoc", body))) == [
        "effects.ipynb, cell 4, line 2: GAIN is not in the tagged cells; "
        "cell 3 defines it; tag that cell `byoc` [untagged-name]"
    ]


def test_undefined_name_that_a_later_cell_defines(make_sound):
    assert said(make_sound("y = GAIN", "GAIN = 2")) == [
        "effects.ipynb, cell 1, line 1: GAIN is used above its definition; "
        "cell 2 defines it, too late; move it up [used-before-definition]"
    ]


def test_relative_import(make_sound):
    assert said(make_sound("def f():\n    from .effects import blur\n    return blur")) == [
        "effects.ipynb, cell 1, line 2: `from .effects import blur` is relative, and the exported module has no "
        "package "
        "around it; import an installed package by its name [relative-import]"
    ]


def test_a_process_frame_that_uses_params_is_told_to_take_them(make):
    hook = "def process_frame(frame):\n    return frame.tensor * params.gain"
    assert said(make(("byoc", CAPABILITY), ("byoc", hook))) == [
        "effects.ipynb, cell 2, line 2: process_frame uses params, and does not take them; "
        "add it: def process_frame(frame, params) [undefined-name]"
    ]
    [text] = said(make(("byoc", CAPABILITY), ("byoc", f"def f():\n    return params\n{PROCESS_FRAME}")))
    assert text.endswith("nothing defines params; define or import it [undefined-name]")


def test_a_name_is_reported_once_with_all_its_lines(make):
    first = "x = TONE\ny = (TONE,\n     TONE)\nz = TONE + TONE"
    notebook = make(("", "TONE = 1"), ("byoc", first), ("byoc", f"{CAPABILITY}\nt = TONE"), ("byoc", PROCESS_FRAME))
    assert said(notebook) == [
        "effects.ipynb, cell 2, line 1: TONE is not in the tagged cells (also lines 2, 3 and 4; cell 3, line 4); "
        "cell 1 defines it; tag that cell `byoc` [untagged-name]"
    ]
