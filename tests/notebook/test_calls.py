import ast

import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.calls import called_by, calls, references


def analysis(make, *sources):
    return Analysis(make(*(("byoc", source) for source in sources)))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import numpy as np\nnp.load(1)", "numpy.load"),
        ("from os import path as p\np.join(1)", "os.path.join"),
        ("open(1)", "builtins.open"),
        ("from pathlib import Path\nPath.open(1)", "pathlib.Path.open"),
        ("try:\n    import cv2\nexcept ImportError:\n    cv2 = None\ncv2.imread(1)", "cv2.imread"),
        ("def open(x): ...\nopen(1)", ""),
        ("import numpy\ndef f(numpy):\n    numpy.load(1)", ""),
        ("def f():\n    import numpy\n    numpy.load(1)", "numpy.load"),
    ],
)
def test_a_call_is_known_by_the_name_that_was_imported(make, source, name):
    assert [call.name for call in calls(analysis(make, source))] == [name]


def test_what_a_call_returns_has_a_name_too(make):
    source = "from pathlib import Path\nPath('x').open()"
    assert [call.name for call in calls(analysis(make, source))] == ["pathlib.Path().open", "pathlib.Path"]


def test_what_is_read_and_not_called_is_a_reference(make):
    found = references(analysis(make, "import torch\nkind = torch.float32"))
    assert [(one.name, one.call) for one in found] == [("torch.float32", None), ("torch", None)]


@pytest.mark.parametrize(
    ("call", "argument"),
    [("f(1, 2)", "2"), ("f(1, y=2)", "2"), ("f(1)", None), ("f(*x, 2)", None), ("f(*x, y=2)", "2")],
)
def test_an_argument_is_found_by_its_position_or_name(make, call, argument):
    [found] = calls(analysis(make, f"def f(x, y): ...\n{call}"))
    given = found.argument(1, "y")
    assert (given and ast.unparse(given)) == argument


def test_hooks_bring_the_functions_that_they_use(make):
    source = (
        "def process_frame(frame): return blur(frame)\ndef blur(x): return kernel(x) or blur(x)\n"
        "def kernel(x): ...\ndef unused(): ...\ndef load_model(): unused()"
    )
    found = called_by(analysis(make, source), ("process_frame", "process_audio"))
    assert [function.name for _, function in found] == ["process_frame", "blur", "kernel"]
