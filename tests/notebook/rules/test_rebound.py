import json

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.notebook_file import parse_notebook

USES = "def process_frame(frame):\n    return frame * GAIN"


def rebound(make, *cells):
    findings = check(make(*cells, ("byoc", CAPABILITY)))
    return [(finding.cell, finding.message) for finding in findings if finding.code == "rebound-name"]


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", USES)], "GAIN"),
        ([("byoc", "GAIN = 1"), ("byoc", USES), ("", "GAIN += 1")], "GAIN"),
        ([("byoc", "GAIN = 1"), ("byoc", USES), ("", "for GAIN in (1, 2): pass")], "GAIN"),
        ([("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", f"TWICE = 2 * GAIN\n{PROCESS_FRAME}")], "GAIN"),
        ([("byoc", PROCESS_FRAME), ("", "def process_frame(frame): ...")], "process_frame"),
        ([("byoc", "from math import sin as GAIN"), ("byoc", USES), ("", "from math import cos as GAIN")], "GAIN"),
    ],
)
def test_a_name_that_the_notebook_binds_again(make, cells, name):
    number = next(number for number, (kind, source) in enumerate(cells, 1) if not kind and name in source)
    [(cell, message)] = rebound(make, *cells)
    assert cell == 1
    assert message.startswith(f"cell {number}")
    assert message.endswith(f", not tagged, binds {name} anew, and the bundle has the value of this cell")


@pytest.mark.parametrize(
    "cells",
    [
        [("", "GAIN = 2"), ("byoc", f"GAIN = 1\n{USES}")],
        [("byoc", f"GAIN = 1\n{USES}"), ("", "GAIN = 1")],
        [("byoc", f"import math as GAIN\n{USES}"), ("", "import math as GAIN")],
        [("byoc", f"for i in (1, 2): GAIN = i\n{USES}"), ("", "for i in range(9): print(i)")],
        [("byoc", f"def helper(x): return x\nGAIN = 1\n{USES}"), ("", "x = 3")],
        [("byoc", f"GAIN = 1\n{USES}"), ("", "def show():\n    GAIN = 2")],
        [("byoc", f"GAIN = 1\n{PROCESS_FRAME}"), ("", "GAIN = 2")],
    ],
)
def test_a_name_that_makes_no_difference(make, cells):
    assert rebound(make, *cells) == []


def test_the_parameters_that_papermill_puts_in_are_named():
    document = json.loads(notebook_json(("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", USES), ("byoc", CAPABILITY)))
    document["cells"][1]["metadata"] = {"tags": ["injected-parameters"]}
    [finding] = check_notebook(Analysis(parse_notebook(json.dumps(document).encode(), name="n.ipynb")))
    assert finding.message == "cell 2 (GAIN), papermill's, binds GAIN anew, and the bundle has the value of this cell"
