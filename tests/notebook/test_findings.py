"""Every code has a text here, as the terminal shows it."""

import json
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check

from byoc_kit.cli import main
from byoc_kit.notebook.check import RULES
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.report import as_github, as_json, as_text

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
        [("metadata", {"language_info": {"name": "python", "version": "3.12.1"}}), *NOTHING],
        """\
warning[python-version]: the notebook was run with Python 3.12.1, and the container has 3.11
 --> n.ipynb
  = run it with a kernel of Python 3.11
""",
    ),
}
# These have their texts where what they are about is tested: they need files beside the notebook.
ELSEWHERE = {
    "test_declarations": {
        *("absolute-path", "asset-not-literal", "asset-path", "file-beside", "missing-asset", "pickle"),
        "undeclared-file",
    },
    "test_check": {"no-return", "shown-figure"},
    "test_ignored": {"unused-ignore"},
    "rules/test_modules": {"ambiguous-module", "shadowed-module"},
    "test_params_class": {"params-class", "params-default", "params-schema", "unknown-param"},
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
        tests = (Path(__file__).parent / f"{name}.py").read_text()
        assert [code for code in codes if code not in tests] == []


SECRETS = {
    "hf_" + 24 * "a": "a Hugging Face token",
    "Bearer ghp_" + 36 * "a": "a GitHub token",
    "AKIA" + 16 * "A": "an AWS key",
    "https://me:hunter2@example.org/x": "a password in a URL",
    "-----BEGIN RSA PRIVATE KEY-----\n": "a private key",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_known_by_how_they_look_and_never_repeated(make_sound, secret):
    [finding] = check(make_sound(f"x = [{secret!r}]"))
    assert (finding.code, finding.message) == ("secret", f"this looks like {SECRETS[secret]}")
    assert secret not in str(finding)


@pytest.mark.parametrize(
    ("source", "is_secret"),
    [
        ("API_KEY = 'a1b2c3d4'", True),
        ("config = {'password': 'correct horse'}", True),
        ("client.token = b'a1b2c3d4'\nimport client", True),
        ("NEXT_TOKEN = 'hello world'", False),
        ("next_secret = 'hello world'", True),
        ("API_KEY = ''", False),
        ("API_KEY = 'your key here'", False),
        ("API_KEY = '<key>'", False),
        ("mask_token = '[MASK]'", False),
        ("import os\nAPI_KEY = os.environ['API_KEY']", False),
        ("tokenizer = 'bert-base-uncased'", False),
        ("max_tokens = 'hundred'", False),
        ("skill = 'ask-me-anything-about-nothing-at-all'", False),
    ],
)
def test_secrets_are_known_by_their_names(make_sound, source, is_secret):
    codes = [finding.code for finding in check(make_sound(source))]
    assert ("secret" in codes) is is_secret


@pytest.mark.parametrize(
    ("body", "is_shared"),
    [
        ("global count\n    count += 1", True),
        ("state['n'] = 1", True),
        ("del state['n']", True),
        ("state['a']['b'] = 1", True),
        ("state.update(n=1)", True),
        ("model.mode = 2", True),
        ("state = {}\n    state['n'] = 1", False),
        ("local = []\n    local.append(1)", False),
        ("return state['n']", False),
        ("count = 1", False),
    ],
)
def test_state_that_streams_would_share(make, body, is_shared):
    source = f"count, state, model = 0, {{}}, object()\ndef process_frame(frame):\n    {body}"
    assert [f.code for f in check(make(("byoc", SEVERAL), ("byoc", source)))] == ["shared-state"] * is_shared
    assert check(make(("byoc", CAPABILITY), ("byoc", source))) == []


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        ("global count\n    count = 0", ["shared-start"]),
        ("seen.clear()", []),  # said of process_frame already
        ("byoc_kit.stream_state().count = 0", []),
        ("state = byoc_kit.stream_state()\n    state.count = 0", []),
    ],
)
@pytest.mark.parametrize("hook", ["on_stream_start(params)", "on_stream_stop()"])
def test_state_that_a_start_or_an_end_changes_for_other_streams(make, hook, body, codes):
    frame = "seen.append(frame)\n    return frame"
    source = f"import byoc_kit\ncount, seen = 0, []\ndef process_frame(frame):\n    {frame}\ndef {hook}:\n    {body}"
    assert [f.code for f in check(make(("byoc", SEVERAL), ("byoc", source)))] == ["shared-state", *codes]


@pytest.mark.parametrize(
    ("head", "codes"),
    [
        ("process_frame(frame, params)", []),
        ("process_frame(*frames)", []),
        ("process_frame(frame, /, *, params=None, **more)", []),
        ("process_frame(frame, settings: Settings)", []),
        ("process_frame(frame, gain: float)", ["hook-signature"]),
        ("process_frame(frame, *, gain)", ["hook-signature"]),
        ("process_frame()", ["hook-signature"]),
        ("process_frame(frame) -> 'VideoFrame | None'", []),
        ("process_frame(frame) -> 'str'", ["hook-annotation"]),
        ("process_frame(frame: AudioFrame)", ["hook-annotation"]),
        ("process_frame(frame: torch.Tensor)", ["hook-annotation"]),
        ("process_frame(frame: np.ndarray)", ["hook-annotation"]),
        ("load_model(path)", ["hook-signature"]),
        ("load_model(path='x')", []),
        ("on_stream_start()", ["hook-signature"]),
        ("on_stream_stop(params)", ["hook-signature"]),
        ("process_audio(frame) -> list[AudioFrame]", []),
        ("process_audio(frame: VideoFrame)", ["hook-annotation"]),
    ],
)
def test_signatures(make, head, codes):
    imports = "import byoc_kit, torch\nimport numpy as np\nfrom byoc_kit import AudioFrame, VideoFrame"
    imports += "\nclass Settings(byoc_kit.Params): ..."
    cells = [("byoc", imports), ("byoc", CAPABILITY), ("byoc", f"def {head}: return None")]
    if not head.startswith("process_frame"):
        cells.append(("byoc", PROCESS_FRAME))
    assert [finding.code for finding in check(make(*cells))] == codes


def test_a_generator_is_no_hook(make):
    [finding] = check(make(("byoc", CAPABILITY), ("byoc", "def process_frame(frame):\n    yield frame")))
    assert finding.message == "process_frame is a generator: it yields, and its result is what it returns"


@pytest.mark.parametrize("source", ["%%time\nx = 1", "%load_ext autoreload\n%autoreload 2", "x = 1\n%config A.b = 2"])
def test_harmless_magics_do_not_stop_an_export(make_sound, source):
    assert {finding.code for finding in check(make_sound(source))} == {"dropped-magic"}


def test_a_harmless_magic_in_a_string_is_text(make_sound):
    assert check(make_sound('x = """\n%matplotlib inline\n"""')) == []


def test_a_long_line_is_cut_around_what_is_wrong(make):
    source = f"x = {'1 + ' * 60}GAIN{' + 1' * 60}"
    [finding] = check(make(("byoc", source), *NOTHING))
    _, _, _, line, carets, *_ = as_text([finding], "n.ipynb").splitlines()
    at = carets.index("^")
    assert line[at : at + 4] == "GAIN"
    assert "..." in line[:12]
    assert line.endswith(" ...")
    assert len(line) < 130


def test_what_a_terminal_would_obey_is_written_out(make):
    [finding] = check(make(("byoc", "x = '\x1b[2J', GAIN"), *NOTHING, name="a\x1b[31m.ipynb"))
    assert "\x1b" not in as_text([finding], "a\x1b[31m.ipynb") + str(finding) + as_github([finding], "a\x1b[31m.ipynb")
    line, carets = as_text([finding], "n.ipynb").splitlines()[3:5]
    assert line == r"1 | x = '\x1b[2J', GAIN"
    assert line[carets.index("^") :] == "GAIN"


def test_json_has_all_of_a_finding(make):
    content = json.loads(as_json(check(make(("byoc", "x = GAIN"), *NOTHING)), "n.ipynb"))
    assert content == {
        "notebook": "n.ipynb",
        "ok": False,
        "findings": [
            {
                "code": "undefined-name",
                "severity": "error",
                "message": "nothing defines GAIN",
                "hint": "define or import it",
                "cell": 1,
                "cell_id": None,
                "line": 1,
                "column": 5,
                "end_column": 9,
            }
        ],
    }


def test_github_gets_a_workflow_command_a_finding(make):
    assert as_github(check(make(("byoc", "x = GAIN"), *NOTHING)), "a,b.ipynb") == (
        "::error file=a%2Cb.ipynb,title=undefined-name%2C cell 1 (x)%2C line 1%2C column 5"
        "::nothing defines GAIN; define or import it\n"
    )


def test_the_command_prints_and_counts(write_notebook, capsys):
    path = write_notebook("x = GAIN")
    assert main(["check", str(path)]) == 1
    assert capsys.readouterr().out.endswith(f"\n\n{path}: 1 error\n")
    assert main(["check", str(write_notebook())]) == 0
    assert capsys.readouterr().out == f"{path}: no problems found; it can be exported\n"


def test_the_command_lists_the_codes(capsys):
    assert main(["check", "--codes"]) == 0
    *listed, empty, star = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(RULES)
    starred = {line.split()[0] for line in listed if line.split()[1] == "*"}
    assert starred == {code for code, rule in RULES.items() if rule.ignorable}
    assert (empty, star) == ("", "* passes where its line ends with a comment, as `# byoc: ignore[secret]`")


def test_the_command_needs_a_notebook(capsys):
    assert main(["check"]) == 2
    assert capsys.readouterr().err == "byoc-kit: give the path of a notebook, or --codes, or --explain CODE\n"


def test_the_command_explains_a_code(capsys):
    assert main(["check", "--explain", "untagged-name"]) == 0
    assert (
        capsys.readouterr().out
        == """\
error[untagged-name]

A name is defined only in a cell that is not tagged. The container runs the
tagged cells alone. The name is there in the notebook, and not in the container.

Example. A cell below `# %% byoc` has the tag:

    # %%
    GAIN = 0.5

    # %% byoc
    def process_frame(frame):
        return frame.tensor * GAIN

`byoc-kit check --fix` tags the cell that is missing.

Where you know better, end the line with `# byoc: ignore[untagged-name]`.
"""
    )


@pytest.mark.parametrize(
    ("code", "hint"), [("magik", "did you mean magic?"), ("xyz", "`byoc-kit check --codes` lists them")]
)
def test_the_command_explains_no_code_that_there_is_not(capsys, code, hint):
    assert main(["check", "--explain", code]) == 2
    assert capsys.readouterr().err == f"byoc-kit: there is no finding called {code}; {hint}\n"
