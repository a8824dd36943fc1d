import ast
import sys
from pathlib import Path

import pytest
from findings_page import findings_of
from notebook_rig import said

from byoc_kit.notebook import rules
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import CHECKS, RULES, checked_module
from byoc_kit.notebook.findings import Severity
from byoc_kit.notebook.notebook_file import NotebookError


def test_a_sound_notebook_has_no_findings(make_sound):
    assert said(make_sound()) == []


def test_several_faults_are_one_line_each(make):
    with pytest.raises(NotebookError) as caught:
        _ = checked_module(Analysis(make(("byoc", "a = GAIN\nb = FPS"))))
    codes = [line.split("[")[-1].strip("]") for line in str(caught.value).splitlines()]
    assert codes == ["no-capability", "no-process-frame", "undefined-name", "undefined-name"]


def test_nothing_of_the_notebook_is_run(make_sound, tmp_path):
    trace = tmp_path / "it-ran"
    assert said(make_sound(f"open({str(trace)!r}, 'w')", "import antigravity")) == []
    assert not trace.exists()
    assert "antigravity" not in sys.modules


def test_warnings_of_the_compiler_are_the_notebooks_own(make_sound):
    assert said(make_sound('x = "\\d"\ny = x is 3')) == []


MODULES = [ast.parse(path.read_text()) for path in sorted(Path(rules.__file__).parent.glob("*.py"))]


# The first needs two distributions with one module; the second is of no cell, but of the notebook's metadata.
WITHOUT_EXAMPLE = {"ambiguous-module", "python-version"}


def test_what_stands_in_the_rules_modules_is_found():
    written = [node for module in MODULES for node in module.body]
    checks = [n.name for n in written if isinstance(n, ast.FunctionDef) and n.name.startswith("check_")]
    assert [check.__name__ for check in CHECKS] == checks
    calls = [node.value for node in written if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    codes = [
        k.value.value for call in calls if ast.unparse(call.func) == "Rule" for k in call.keywords if k.arg == "code"
    ]
    assert len(codes) == len(set(codes))
    assert set(RULES) == set(codes)


def test_errors_come_first_and_then_the_alphabet():
    keys = [(list(Severity).index(rule.severity), code) for code, rule in RULES.items()]
    assert keys == sorted(keys)


def test_whatever_a_cell_can_show_has_an_example():
    assert {code for code, rule in RULES.items() if not rule.example} == WITHOUT_EXAMPLE


@pytest.mark.parametrize("code", sorted(set(RULES) - WITHOUT_EXAMPLE))
def test_the_example_breaks_its_rule_and_fix_mends_what_it_says(code):
    rule = RULES[code]
    found = findings_of(rule)
    assert found
    assert all((finding.needs_cell is not None) is rule.fixable for finding in found)
