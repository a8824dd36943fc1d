"""The pages of ``docs/`` are true: findings, errors and names are those that there are."""

import ast
import re
from pathlib import Path

import pytest
import torch
from findings_page import PAGE, page

import byoc_kit

ROOT = Path(__file__).parents[1]


def test_the_findings_page_is_what_the_rules_say():
    assert PAGE.read_text() == page(), "python tests/findings_page.py writes it"


@pytest.fixture(scope="module")
def texts():
    """All texts of the package's code, and of torch's that asks for a GPU; those of f-strings in pieces."""
    sources = [path.read_text() for path in [*(ROOT / "byoc_kit").rglob("*.py"), Path(torch.cuda.__file__)]]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return "\n".join(node.value for node in nodes if isinstance(node.value, str))


def test_the_errors_of_the_troubleshooting_page_exist(texts):
    troubleshooting = (ROOT / "docs" / "troubleshooting.md").read_text()
    firsts = re.findall(r"^\| (.*?) \|", troubleshooting, re.MULTILINE)
    quoted = [text for first in firsts for text in re.findall(r"(?<!`)`` ?(.*?) ?``|`([^`]*?)`", first)]
    errors = ["".join(pair) for pair in quoted]
    assert len(errors) > 50
    pieces = [piece.strip() for error in errors for piece in error.split("…")]
    assert [piece for piece in pieces if piece not in texts] == []


def test_the_api_page_has_each_public_name():
    shown = re.findall(r"^::: byoc_kit\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted(shown) == sorted(byoc_kit.__all__)
