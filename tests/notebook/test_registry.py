"""Each rule is explained by an example that breaks it, and each check is run."""

import ast
from pathlib import Path

import pytest
from findings_page import findings_of

from byoc_kit.notebook import rules
from byoc_kit.notebook.check import CHECKS, RULES
from byoc_kit.notebook.findings import Severity

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
