import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.imports import merge_imports


def merged(make, *sources):
    """Return the lines of the block, and what each cell is without its part."""
    found = merge_imports(Analysis(make(*(("byoc", source) for source in sources))))
    return list(found.lines), [[cell.lines[n - 1] for n in numbers] for cell, numbers in found.kept.items()]


def test_imports_of_all_cells_are_one_block_in_groups(make):
    first, second = "import torch\nimport os\nx = 1", "from os import path\nfrom torch import nn\nimport torch\ny = 2"
    lines, cells = merged(make, first, second)
    assert lines == ["import os", "from os import path", "", "import byoc_kit", "import torch", "from torch import nn"]
    assert cells == [["x = 1"], ["y = 2"]]


def test_a_long_one_is_broken(make):
    names = ", ".join(f"{'name' * 4}{number}" for number in range(5))
    lines, _ = merged(make, f"from module import {names}")
    assert lines[1:] == ["from module import (", *(f"    {'name' * 4}{n}," for n in range(5)), ")"]


@pytest.mark.parametrize(
    "source",
    [
        "import matplotlib\nmatplotlib.use('Agg')\nimport pylab",
        "import os\nos.environ['A'] = '1'\nimport pylab",
        "if True:\n    pass\nimport pylab",
        "import pylab  # noqa",
        "# for its side effect\nimport pylab",
        "import pylab\npylab = None",
        "import pylab as open",
        "import pylab; x = 1",
    ],
)
def test_one_that_may_depend_on_its_place_stays_there(make, source):
    _, [cell] = merged(make, source)
    assert any("pylab" in line for line in cell)


def test_the_same_import_in_two_cells_is_one(make):
    lines, cells = merged(make, "import json", "import json\nx = json")
    assert lines == ["import json", "", "import byoc_kit"]
    assert cells == [[], ["x = json"]]
