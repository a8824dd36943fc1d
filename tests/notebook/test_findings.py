"""Every code has a text here, as the terminal shows it."""

import json
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check

from byoc_kit import PYTHON
from byoc_kit.notebook.check import RULES
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.report import as_text

NOTHING = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)


SEVERAL = CAPABILITY.replace(")", ", capacity=4)")


# By code: the cells, and how the finding begins on the terminal, up to its hint.
GOLDEN = {
    "no-tagged-cell": (
        [("", "x = 1")],
        """\
error[no-tagged-cell]: no code cell with something in it is tagged
 --> n.ipynb
  = tag the cells that belong in the container `byoc` (right sidebar, property inspector, Cell Tags)
""",
    ),
    "no-capability": (
        [("byoc", PROCESS_FRAME), ("", CAPABILITY)],
        """\
error[no-capability]: no tagged cell says what the container offers
 --> n.ipynb
  = cell 2 does; tag that cell `byoc`
""",
    ),
    "no-process-frame": (
        [("byoc", CAPABILITY), ("", PROCESS_FRAME)],
        """\
error[no-process-frame]: no tagged cell defines process_frame
 --> n.ipynb
  = cell 2 defines it; tag that cell `byoc`
""",
    ),
    "syntax-error": (
        [("byoc", "x = 1\ny = = 2")],
        """\
error[syntax-error]: invalid syntax: `y = = 2`
 --> n.ipynb, cell 1, line 2, column 5
  |
2 | y = = 2
  |     ^
  = correct it, or remove the tag
""",
    ),
    "magic": (
        [("byoc", "import os\n!pip install torch")],
        """\
error[magic]: `!pip install torch` is IPython, not Python
 --> n.ipynb, cell 1, line 2, column 1
  |
2 | !pip install torch
  | ^^^^^^^^^^^^^^^^^^
  = move it to a cell without the tag; the image gets what is installed here and imported
""",
    ),
    "dropped-magic": (
        [("byoc", "%matplotlib inline\nx = 1"), *NOTHING],
        """\
note[dropped-magic]: `%matplotlib inline` is left out: it changes nothing in a container
 --> n.ipynb, cell 1 (x), line 1, column 1
  |
1 | %matplotlib inline
  | ^^^^^^^^^^^^^^^^^^
  = move it to a cell without the tag to be rid of this note
""",
    ),
    "top-level-await": (
        [("byoc", "x = 1\ny = await x"), *NOTHING],
        """\
error[top-level-await]: `y = await x` awaits outside a function, which only a notebook does
 --> n.ipynb, cell 1, line 2, column 5
  |
2 | y = await x
  |     ^^^^^^^
  = await it in load_model(), which may be async
""",
    ),
    "future-import": (
        [("byoc", "x = 1"), ("byoc", "from __future__ import annotations"), *NOTHING],
        """\
error[future-import]: `from __future__` works only at the top of the module
 --> n.ipynb, cell 2, line 1, column 1
  |
1 | from __future__ import annotations
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = move it to the top of cell 1, the first tagged one
""",
    ),
    "capability": (
        [("byoc", "from byoc_kit import Capability\nN = input()\ncapability = Capability(model_id=N)"), NOTHING[1]],
        """\
error[capability]: Capability, model_id: is not a literal, and the exporter does not run the notebook
 --> n.ipynb, cell 1 (N), line 3, column 1
  |
3 | capability = Capability(model_id=N)
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = write the value itself
""",
    ),
    "undefined-name": (
        [("byoc", CAPABILITY), ("byoc", "def process_frame(frame):\n    ü = 'ü'; return frame * GAIN")],
        """\
error[undefined-name]: nothing defines GAIN
 --> n.ipynb, cell 2 (process_frame), line 2, column 29
  |
2 |     ü = 'ü'; return frame * GAIN
  |                             ^^^^
  = define or import it
""",
    ),
    "untagged-name": (
        [("", "GAIN = 1"), ("byoc", CAPABILITY), ("byoc", "def process_frame(frame):\n    return frame * GAIN")],
        """\
error[untagged-name]: GAIN is not in the tagged cells
 --> n.ipynb, cell 3 (process_frame), line 2, column 20
  |
2 |     return frame * GAIN
  |                    ^^^^
  = cell 1 defines it; tag that cell `byoc`
""",
    ),
    "used-before-definition": (
        [("byoc", "x = GAIN"), ("byoc", "GAIN = 1"), *NOTHING],
        """\
error[used-before-definition]: GAIN is used above its definition
 --> n.ipynb, cell 1 (x), line 1, column 5
  |
1 | x = GAIN
  |     ^^^^
  = cell 2 defines it, too late; move it up
""",
    ),
    "star-import": (
        [("byoc", "from math import *"), *NOTHING],
        """\
error[star-import]: `from math import *` hides which names there are, so that none can be checked
 --> n.ipynb, cell 1, line 1, column 1
  |
1 | from math import *
  | ^^^^^^^^^^^^^^^^^^
  = import what you use by name: from math import ...
""",
    ),
    "relative-import": (
        [("byoc", "from .lib import f"), *NOTHING],
        """\
error[relative-import]: `from .lib import f` is relative, and the exported module has no package around it
 --> n.ipynb, cell 1, line 1, column 1
  |
1 | from .lib import f
  | ^^^^^^^^^^^^^^^^^^
  = import an installed package by its name
""",
    ),
    "missing-module": (
        [("byoc", "import no_such_module_is_there"), *NOTHING],
        """\
error[missing-module]: no installed distribution provides the module no_such_module_is_there
 --> n.ipynb, cell 1, line 1, column 1
  |
1 | import no_such_module_is_there
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = install it in this environment with pip
""",
    ),
    "missing-name": (
        [("byoc", "from byoc_kit import Field, Params"), *NOTHING],
        """\
error[missing-name]: the module byoc_kit has no Field
 --> n.ipynb, cell 1, line 1, column 22
  |
1 | from byoc_kit import Field, Params
  |                      ^^^^^
  = write `from pydantic import Field`
""",
    ),
    "shadowed-hook": (
        [*NOTHING, ("byoc", "from os import fspath as process_frame")],
        """\
error[shadowed-hook]: process_frame is defined a second time (first in cell 2)
 --> n.ipynb, cell 3, line 1, column 1
  |
1 | from os import fspath as process_frame
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = keep one of them tagged
""",
    ),
    "hook-signature": (
        [("byoc", CAPABILITY), ("byoc", "@staticmethod\nasync  def  process_frame(frame, gain):\n    return frame")],
        """\
error[hook-signature]: process_frame cannot be called: nothing is there to give gain
 --> n.ipynb, cell 2 (process_frame), line 2, column 13
  |
2 | async  def  process_frame(frame, gain):
  |             ^^^^^^^^^^^^^
  = write process_frame(frame) or process_frame(frame, params)
""",
    ),
    "hidden-params": (
        [
            ("byoc", CAPABILITY),
            ("byoc", "def timed(f):\n    def run(*args, **named):\n        return f(*args, **named)\n    return run"),
            ("byoc", "@timed\ndef process_frame(frame, params):\n    return frame"),
        ],
        """\
error[hidden-params]: process_frame takes params, and `timed` hides that from the server
 --> n.ipynb, cell 3 (process_frame), line 1, column 2
  |
1 | @timed
  |  ^^^^^
  = write @functools.wraps(f) above run
""",
    ),
    "hook-annotation": (
        [("byoc", CAPABILITY), ("byoc", "def process_frame(frame) -> dict[str, int]:\n    return {}")],
        """\
error[hook-annotation]: process_frame is said to return dict[str, int]
 --> n.ipynb, cell 2 (process_frame), line 1, column 29
  |
1 | def process_frame(frame) -> dict[str, int]:
  |                             ^^^^^^^^^^^^^^
  = return the VideoFrame, a tensor or an array, or None to drop it
""",
    ),
    "reserved-name": (
        [("byoc", "class Processor: ..."), *NOTHING],
        """\
error[reserved-name]: the name Processor is taken: the exporter adds a class of that name
 --> n.ipynb, cell 1 (Processor), line 1, column 1
  |
1 | class Processor: ...
  | ^^^^^^^^^^^^^^^^^^^^
  = rename yours
""",
    ),
    "reserved-param": (
        [
            ("byoc", "import byoc_kit\nclass Params(byoc_kit.Params):\n    params: float = 1.0"),
            ("byoc", CAPABILITY),
            ("byoc", "def process_frame(frame, params: Params):\n    return frame"),
        ],
        """\
error[reserved-param]: no client can set a parameter called params: all of them are sent under that name
 --> n.ipynb, cell 1 (Params), line 3, column 5
  |
3 |     params: float = 1.0
  |     ^^^^^^^^^^^^^^^^^^^
  = rename the field
""",
    ),
    "notebook-only": (
        [("byoc", CAPABILITY), ("byoc", "def process_frame(frame):\n    display(frame)")],
        """\
error[notebook-only]: display is there in notebooks only
 --> n.ipynb, cell 2 (process_frame), line 2, column 5
  |
2 |     display(frame)
  |     ^^^^^^^
  = move it to a cell without the tag
""",
    ),
    "secret": (
        [("byoc", "login(token='hf_" + 30 * "a" + "')\ndef login(token): ..."), *NOTHING],
        """\
error[secret]: this looks like a Hugging Face token
 --> n.ipynb, cell 1 (login), line 1, column 13
""",
    ),
    "shared-state": (
        [
            ("byoc", SEVERAL),
            ("byoc", "seen = []\ndef process_frame(frame):\n    note(frame)\ndef note(f): seen.append(f)"),
        ],
        """\
error[shared-state]: note changes seen, which 4 streams would share
 --> n.ipynb, cell 2 (process_frame), line 4, column 14
  |
4 | def note(f): seen.append(f)
  |              ^^^^^^^^^^^^^^
  = keep it in byoc_kit.stream_state(), which each stream has for itself, or set capacity=1
""",
    ),
    "shared-start": (
        [
            ("byoc", SEVERAL),
            ("byoc", "mean = None\ndef on_stream_start(params):\n    global mean\n    mean = None"),
            NOTHING[1],
        ],
        """\
warning[shared-start]: on_stream_start changes mean, which 4 streams would share
 --> n.ipynb, cell 2 (on_stream_start), line 4, column 5
  |
4 |     mean = None
  |     ^^^^
  = keep it in byoc_kit.stream_state(), which each stream has for itself, or set capacity=1
""",
    ),
    "download": (
        [*NOTHING, ("byoc", "import torch\nmodel = torch.hub.load('org/repo', 'tiny')")],
        """\
warning[download]: torch.hub.load fetches over the network when the container starts
 --> n.ipynb, cell 3 (model), line 2, column 9
  |
2 | model = torch.hub.load('org/repo', 'tiny')
  |         ^^^^^^^^^^^^^^
  = fetch it once, and name the file with byoc_kit.asset("..."), so that the image has it
""",
    ),
    "growing-state": (
        [
            NOTHING[0],
            ("byoc", "times = []\ndef process_frame(frame):\n    times.append(frame.time_s)\n    return frame"),
        ],
        """\
warning[growing-state]: times grows with each frame, and nothing takes from it while a stream runs
 --> n.ipynb, cell 2 (process_frame), line 3, column 5
  |
3 |     times.append(frame.time_s)
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
  = bound it, as with collections.deque(maxlen=N), or take the oldest out
""",
    ),
    "hook-name": (
        [*NOTHING, ("byoc", "def load_models():\n    pass")],
        """\
warning[hook-name]: load_models is not called by anything
 --> n.ipynb, cell 3 (load_models), line 1, column 5
  |
1 | def load_models():
  |     ^^^^^^^^^^^
  = did you mean load_model?
""",
    ),
    "untagged-hook": (
        [*NOTHING, ("", "def on_stream_start(params):\n    pass")],
        """\
warning[untagged-hook]: on_stream_start is not in the tagged cells, so the container does not call it
 --> n.ipynb
  = cell 3 defines it; tag that cell `byoc`, or rename it
""",
    ),
    "scaled-tensor": (
        [NOTHING[0], ("byoc", "def process_frame(frame):\n    return (1 - frame.tensor) * 255")],
        """\
warning[scaled-tensor]: process_frame returns a floating tensor of 0 to 255, and those of frames are 0 to 1
 --> n.ipynb, cell 2 (process_frame), line 2, column 12
  |
2 |     return (1 - frame.tensor) * 255
  |            ^^^^^^^^^^^^^^^^^^^^^^^^
  = leave the factor out, or write .to(torch.uint8) behind it
""",
    ),
    "kept-frame": (
        [
            NOTHING[0],
            (
                "byoc",
                "prev = None\ndef process_frame(frame):\n    global prev\n    prev = frame.tensor\n    return frame",
            ),
        ],
        """\
warning[kept-frame]: process_frame keeps prev from stream to stream, and the next may have another size
 --> n.ipynb, cell 2 (process_frame), line 4, column 5
  |
4 |     prev = frame.tensor
  |     ^^^^
  = keep it in byoc_kit.stream_state(), or set it back in on_stream_start(params)
""",
    ),
    "needs-gpu": (
        [("byoc", "import torch\nnet = torch.nn.Linear(1, 1).cuda()"), *NOTHING],
        """\
warning[needs-gpu]: .cuda() fails on a machine without a GPU
 --> n.ipynb, cell 1 (net), line 2, column 7
  |
2 | net = torch.nn.Linear(1, 1).cuda()
  |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
  = write .to("cuda" if torch.cuda.is_available() else "cpu")
""",
    ),
    "rebound-name": (
        [("byoc", "GAIN = 1"), ("", "GAIN = 2"), ("byoc", "def f():\n    return GAIN"), *NOTHING],
        """\
warning[rebound-name]: cell 2 (GAIN), not tagged, binds GAIN anew, and the bundle has the value of this cell
 --> n.ipynb, cell 1 (GAIN), line 1, column 1
  |
1 | GAIN = 1
  | ^^^^
  = write the value here, or use another name in cell 2
""",
    ),
    "unused-params": (
        [
            NOTHING[0],
            ("byoc", "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1.0"),
            ("byoc", "def process_frame(frame):\n    return frame.tensor * Params().gain"),
        ],
        """\
warning[unused-params]: Params has gain, but process_frame takes no params: no control acts on it
 --> n.ipynb, cell 3 (process_frame), line 1, column 1
  |
1 | def process_frame(frame):
  | ^
  = write def process_frame(frame, params: Params)
""",
    ),
    "python-version": (
        [("metadata", {"language_info": {"name": "python", "version": "3.9.18"}}), *NOTHING],
        f"""\
warning[python-version]: the notebook was run with Python 3.9.18, and the container has {PYTHON}
 --> n.ipynb
  = run it with a kernel of Python {PYTHON}
""",
    ),
}


# These have their texts where what they are about is tested: they need files beside the notebook.
ELSEWHERE = {
    "capability": {"second-capability"},
    "assets": {"asset-not-literal", "asset-path", "asset-url", "missing-asset"},
    "files": {"absolute-path", "file-beside", "undeclared-file"},
    "hooks": {"no-return"},
    "ignored": {"unused-ignore"},
    "loading": {"pickle"},
    "modules": {"ambiguous-module", "shadowed-module"},
    "notebook_only": {"shown-figure"},
    "params": {"params-class", "params-default", "params-schema", "unknown-param"},
}


def notebook_of(cells, *, name="n.ipynb", folder=None):
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    for kind, source in cells:
        if kind == "metadata":
            document["metadata"] = source
            continue
        tags = {"tags": ["byoc"]} if kind == "byoc" else {}
        document["cells"].append({"cell_type": "code", "metadata": tags, "source": source})
    return parse_notebook(json.dumps(document).encode(), name=name, folder=folder)


@pytest.mark.parametrize("code", GOLDEN)
def test_the_text_of_a_code(code):
    cells, text = GOLDEN[code]
    findings = [finding for finding in check(notebook_of(cells)) if finding.code == code]
    assert as_text(findings, "n.ipynb").startswith(text)


def test_every_code_has_a_text():
    assert set(GOLDEN) | set().union(*ELSEWHERE.values()) == set(RULES)
    for name, codes in ELSEWHERE.items():
        tests = (Path(__file__).parent / "rules" / f"test_{name}.py").read_text()
        assert [code for code in codes if code not in tests] == []
