import json
import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, notebook_json

from byoc_kit.core.capability import Capability
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import checked_module
from byoc_kit.notebook.declarations import read_capability
from byoc_kit.notebook.notebook_file import NotebookError, parse_notebook


def said(notebook):
    return [str(finding) for finding in check(notebook)]


TRIED = "try:\n    {}\nexcept {}:\n    shell = None"


@pytest.mark.parametrize(
    "source",
    [
        TRIED.format("shell = get_ipython()", "NameError"),
        TRIED.format("shell = get_ipython().__class__", "(AttributeError, NameError)"),
        TRIED.format("display(1)", "Exception"),
        "def shell():\n    try:\n        return get_ipython()\n    except:\n        return None",
        TRIED.format("from IPython import get_ipython\n    import ipywidgets", "ImportError"),
        TRIED.format("import google.colab", "ModuleNotFoundError"),
        "from contextlib import suppress\nwith suppress(NameError):\n    get_ipython().run_line_magic('time', '')",
        "if 'get_ipython' in globals():\n    def show(x):\n        display(x)",
        "if not 'get_ipython' in dir():\n    pass\nelse:\n    get_ipython()",
        "if 'get_ipython' not in vars():\n    pass\nelse:\n    get_ipython()",
        "import builtins\nif hasattr(builtins, '__IPYTHON__'):\n    get_ipython()",
        "import sys\nif 'google.colab' in sys.modules:\n    from google.colab import drive",
        "shell = get_ipython() if 'get_ipython' in globals() else None",
        "shell = 'get_ipython' in globals() and get_ipython()",
    ],
)
def test_what_only_a_notebook_has_may_be_asked_for(make_sound, source):
    assert said(make_sound(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        TRIED.format("shell = get_ipython()", "AttributeError"),
        TRIED.format("import IPython", "NameError"),
        "try:\n    pass\nexcept NameError:\n    get_ipython()",
        "try:\n    def show(x):\n        display(x)\nexcept NameError:\n    pass",
        "if 'get_ipython' not in globals():\n    get_ipython()",
        "if 'get_ipython' in globals():\n    pass\nelse:\n    get_ipython()",
        "if 'display' in {'a': 1}:\n    display(1)",
        "if 'numpy' in globals():\n    get_ipython()",
        "shell = get_ipython() if 'get_ipython' not in globals() else None",
        "shell = 'get_ipython' in globals() or get_ipython()",
    ],
)
def test_what_only_a_notebook_has_is_found_where_nothing_guards_it(make_sound, source):
    assert {finding.code for finding in check(make_sound(source))} == {"notebook-only"}


@pytest.mark.parametrize(
    "source",
    [
        "from tqdm.notebook import tqdm",
        "import tqdm.notebook",
        "from tqdm import tqdm_notebook",
        "from tqdm import notebook",
        "import tqdm\nfor i in tqdm.tqdm_notebook([1]): pass",
        "try:\n    from tqdm.notebook import tqdm\nexcept ImportError:\n    from tqdm import tqdm",
    ],
)
def test_progress_that_only_a_notebook_draws(make_sound, source):
    [text] = said(make_sound(source))
    assert "is for notebooks, and the container has none; write `from tqdm.auto import tqdm`, which prints" in text
    assert check(make_sound("from tqdm.auto import tqdm\nfrom tqdm import trange\ntqdm([]), trange(2)")) == []


def test_what_a_constant_switches_off_is_passed_over(make_sound):
    assert check(make_sound("import cv2\nDEBUG = False\ndef show(x):\n    if DEBUG:\n        cv2.imshow('x', x)")) == []


@pytest.mark.parametrize(
    ("source", "said_of_it"),
    [
        ("name = input('who? ')", "input() waits for somebody to type, and the container has nobody; make it a"),
        ("import getpass\ndef load_model():\n    getpass.getpass()", "getpass.getpass() waits for somebody to type"),
        ("import cv2\ndef show(x):\n    cv2.imshow('x', x)", "cv2.imshow needs a window, and the container has no"),
        ("import cv2\nDEBUG = True\nif DEBUG:\n    cv2.waitKey(1)", "cv2.waitKey needs a window"),
        ("import ipympl", "ipympl is for notebooks, and the container has none; move it to a cell"),
    ],
)
def test_what_waits_for_somebody_at_the_screen(make_sound, source, said_of_it):
    [text] = said(make_sound(source))
    assert said_of_it in text
    assert text.endswith("[notebook-only]")


@pytest.mark.parametrize(
    "source",
    [
        "def input(prompt): return 1\nx = input('who? ')",
        "if __name__ == '__main__':\n    input()",
        "if 'get_ipython' in globals():\n    input()",
    ],
)
def test_nobody_waits_there(make_sound, source):
    assert said(make_sound(source)) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import byoc_kit\nbyoc_kit.preview(print)", "byoc_kit.preview"),
        ("import byoc_kit as kit\ndef show(): return kit.ship()", "byoc_kit.ship"),
        ("from byoc_kit import ship", "byoc_kit.ship"),
        ("import byoc_kit.regress", "byoc_kit.regress"),
    ],
)
def test_parts_of_the_kit_that_are_for_notebooks(make_sound, source, name):
    [text] = said(make_sound(source))
    assert f"{name} is for notebooks, and the container has none; move it to a cell" in text


def test_the_preview_may_be_asked_for_where_a_notebook_is(make_sound):
    assert said(make_sound("import byoc_kit\nif 'get_ipython' in globals():\n    byoc_kit.preview(print)")) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("%cd ..", "move it to a cell without the tag [magic]"),
        ("%env CUDA_VISIBLE_DEVICES=0", 'write os.environ["CUDA_VISIBLE_DEVICES"] = "..." instead [magic]'),
        (
            "!wget x/w.pt",
            'and name the file that it fetches with byoc_kit.asset("..."), so that the image has it [magic]',
        ),
        ("!pip install torch", "the image gets what is installed here and imported [magic]"),
    ],
)
def test_a_magic_whose_effect_the_container_needs_too(make_sound, line, hint):
    [text] = said(make_sound(line))
    assert text.endswith(hint)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("def load_models(): pass", True),
        ("async def on_stream_started(params): pass", True),
        ("def load_models(): pass\nload_models()", False),
        ("def load_models(): pass\ndef load_model(): pass", False),
        ("def postprocess_frame(frame): return frame", False),
        ("def load_weights(): pass", False),
        ("def load(): pass\nload()", False),
        ("def load(): pass\ntable = {'load': load}", False),
        ("class Net:\n    def load(self): pass", False),
        ("def load(): pass\ndef load_model(): load()", False),
        ("def load(): pass\ndef load_model(): pass", False),
        ("import json\nload = json.load", False),
        ("import atexit\n@atexit.register\ndef cleanup(): pass", False),
        ("import torch\n@torch.no_grad()\ndef load(): pass", True),
    ],
)
def test_a_function_that_is_named_nearly_like_a_hook(make_sound, source, is_found):
    assert [finding.code for finding in check(make_sound(source))] == ["hook-name"] * is_found


@pytest.mark.parametrize(
    ("source", "hook"),
    [
        ("def on_start(params): pass", "on_stream_start"),
        ("def on_stream_begin(params): pass", "on_stream_start"),
        ("def stream_started(params): pass", "on_stream_start"),
        ("def onStreamStart(params): pass", "on_stream_start"),
        ("def on_stop(): pass", "on_stream_stop"),
        ("def on_stream_end(): pass", "on_stream_stop"),
        ("def on_stream_ended(): pass", "on_stream_stop"),
        ("def stop_stream(): pass", "on_stream_stop"),
        ("def load(): pass", "load_model"),
        ("async def setup(): pass", "load_model"),
        ("def loadModel(): pass", "load_model"),
        ("def process_sound(frame): return frame", "process_audio"),
    ],
)
def test_a_name_that_one_might_take_for_a_hooks_is_met_with_the_hook(make_sound, source, hook):
    name = source.partition("def ")[2].partition("(")[0]
    [text] = said(make_sound(source))
    assert f"{name} is not called by anything; did you mean {hook}? [hook-name]" in text


@pytest.mark.parametrize("name", ["process", "process_image", "process_video", "on_frame", "processFrame"])
def test_another_name_in_place_of_process_frame(make, name):
    found = check(make(("byoc", CAPABILITY), ("byoc", f"def {name}(frame): return frame")))
    assert [finding.code for finding in found] == ["no-process-frame", "hook-name"]
    assert found[1].hint == "did you mean process_frame?"


def test_a_tag_that_is_written_in_another_way_is_named():
    document = json.loads(notebook_json(("byoc", PROCESS_FRAME)))
    document["cells"][0]["metadata"]["tags"] = ["BYOC"]
    [finding] = check(parse_notebook(json.dumps(document).encode(), name="n.ipynb"))
    assert (finding.code, finding.hint) == ("no-tagged-cell", "the tag is `byoc`, written so; there is `BYOC`")


def test_a_sound_notebook_has_no_findings(make_sound):
    assert said(make_sound()) == []


@pytest.mark.parametrize("cells", [[], [("", "x = 1")], [("byoc", " \n")], [("markdown", "# byoc")]])
def test_no_tagged_cell(make, cells):
    assert said(make(*cells)) == [
        "effects.ipynb: no code cell with something in it is tagged; tag the cells that belong in the container `byoc` "
        "(right sidebar, property inspector, Cell Tags) [no-tagged-cell]"
    ]


@pytest.mark.parametrize(
    ("source", "line", "shown"),
    [
        ("x = 1\n%run other.ipynb", 2, "%run other.ipynb"),
        ("%%bash\necho \"it's", 1, "%%bash"),
        ("!ls", 1, "!ls"),
        ("x = !ls", 1, "x = !ls"),
        ("x = 1\n\nx, y = %magic 3", 3, "x, y = %magic 3"),
        ("len?", 1, "len?"),
        ("a.b??", 1, "a.b??"),
        ("?len", 1, "?len"),
        ("def f():\n    %time g()", 2, "%time g()"),
        ("%load " + 80 * "x", 1, "%load " + 50 * "x" + " ..."),
    ],
)
def test_magic(make, source, line, shown):
    assert said(make(("byoc", CAPABILITY), ("byoc", source))) == [
        f"effects.ipynb, cell 2, line {line}: `{shown}` is IPython, not Python; "
        "move it to a cell without the tag [magic]"
    ]


def test_what_looks_like_a_magic_in_a_string_is_none(make):
    assert said(make(("byoc", 'x = """\n%time\n"""\ny = = 2'))) == [
        "effects.ipynb, cell 1, line 4: invalid syntax: `y = = 2`; correct it, or remove the tag [syntax-error]"
    ]


@pytest.mark.parametrize(
    ("source", "said_of_it"),
    [
        ("x = (", ", line 1: '(' was never closed: `x = (`"),
        ("return 3", ", line 1: 'return' outside function: `return 3`"),
        ("x = '\x00'", ": source code string cannot contain null bytes"),
        ("x = 1\n" + "+".join(["x"] * 30_000), ": too deeply nested"),
        ("x = 1\ny = " + "-" * 300 + "x", ": too deeply nested"),
    ],
)
def test_syntax_error(make, source, said_of_it):
    assert said(make(("markdown", "hm"), ("byoc", source))) == [
        f"effects.ipynb, cell 2{said_of_it}; correct it, or remove the tag [syntax-error]"
    ]


def test_half_a_surrogate_pair_is_a_syntax_error(make):
    [finding] = check(make(("byoc", "x = '\ud83d'")))
    assert (finding.code, finding.cell) == ("syntax-error", 1)


def test_every_cell_that_is_no_python_is_named(make):
    findings = check(make(("byoc", "x ="), ("byoc", "%time"), ("byoc", "y = 1")))
    assert [(finding.code, finding.cell) for finding in findings] == [("syntax-error", 1), ("magic", 2)]


def test_what_only_the_whole_module_shows_is_named_by_its_cell(make):
    assert said(make(("byoc", "x = 1"), ("", ""), ("byoc", "y = 1\n\nglobal x"))) == [
        "effects.ipynb, cell 3, line 3: name 'x' is assigned to before global declaration: `global x`; "
        "correct it, or remove the tag [syntax-error]"
    ]


def test_a_future_import_below_a_cells_own_docstring_is_sound(make_sound):
    source = '# mine\n"""Mine."""\nfrom __future__ import (\n    annotations,\n)\nx: Later = 1\nclass Later: ...'
    assert said(make_sound(source)) == []
    [finding] = check(make_sound(f"{source}\ny = GAIN"))
    assert (finding.code, finding.cell, finding.line) == ("undefined-name", 1, 8)


def test_a_future_import_that_shares_its_line_with_a_docstring_does_not(make):
    [finding] = check(make(("byoc", '"""Mine."""; from __future__ import annotations')))
    assert (finding.code, finding.cell, finding.line) == ("future-import", 1, 1)


def test_future_import(make):
    assert said(make(("", ""), ("byoc", "x = 1"), ("byoc", "# late\nfrom __future__ import annotations"))) == [
        "effects.ipynb, cell 3, line 2: `from __future__` works only at the top of the module; "
        "move it to the top of cell 2, the first tagged one [future-import]"
    ]


def test_a_future_import_in_the_first_tagged_cell_is_sound(make_sound):
    assert said(make_sound("from __future__ import annotations")) == []


def test_no_process_frame(make):
    assert said(make(("byoc", CAPABILITY))) == [
        "effects.ipynb: no tagged cell defines process_frame; define process_frame(frame) or "
        "process_frame(frame, params) in a tagged cell [no-process-frame]"
    ]


def test_no_process_frame_but_in_an_untagged_cell(make):
    assert said(make(("byoc", CAPABILITY), ("", f"%time\n{PROCESS_FRAME}"))) == [
        "effects.ipynb: no tagged cell defines process_frame; cell 2 defines it; tag that cell `byoc` "
        "[no-process-frame]"
    ]


@pytest.mark.parametrize("second", [PROCESS_FRAME, "process_frame = len", "from os import fspath as process_frame"])
def test_two_process_frames(make_sound, second):
    notebook = make_sound(PROCESS_FRAME, f"\n{second}")
    assert str(check(notebook)[0]) == (
        "effects.ipynb, cell 2, line 2: process_frame is defined a second time (first in cell 1); "
        "keep one of them tagged [shadowed-hook]"
    )


def test_a_cell_twice_is_two_process_frames(make_sound):
    [finding] = check(make_sound(PROCESS_FRAME))
    assert (finding.code, finding.cell) == ("shadowed-hook", 3)


@pytest.mark.parametrize(
    "source",
    [
        "async def process_frame(frame):\n    return frame",
        "process_frame = lambda frame: frame",
        "from math import floor as process_frame",
        "if True:\n    def process_frame(frame): ...\nelse:\n    def process_frame(frame): ...",
        "def process_frame(frame): ...\nprocess_frame = staticmethod(process_frame)",
    ],
)
def test_a_process_frame_may_come_by_any_statement(make, source):
    assert said(make(("byoc", CAPABILITY), ("byoc", source))) == []


@pytest.mark.parametrize("source", ["class Processor: ...", "Processor = 3", "import os as Processor"])
def test_reserved_name(make_sound, source):
    assert said(make_sound(source)) == [
        "effects.ipynb, cell 1, line 1: the name Processor is taken: the exporter adds a class of that name; "
        "rename yours [reserved-name]"
    ]


def test_byoc_kit_is_a_reserved_name_unless_it_is_the_package(make_sound):
    assert said(make_sound("import byoc_kit, byoc_kit.core.frames")) == []
    assert said(make_sound("import math as byoc_kit")) == [
        "effects.ipynb, cell 1, line 1: the name byoc_kit is taken: the exported module calls the package by it; "
        "rename yours [reserved-name]"
    ]


def test_process_audio_is_a_hook_like_the_others(make_sound):
    assert said(make_sound("async def process_audio(frame): ...")) == []


def test_no_capability(make):
    assert said(make(("byoc", PROCESS_FRAME), ("", "x = 1"))) == [
        "effects.ipynb: no tagged cell says what the container offers; write capability = "
        'Capability(model_id="my-model", price_per_unit=3000) in a tagged cell [no-capability]'
    ]


@pytest.mark.parametrize("value", ["3", 'Capability("tint")', 'dict(model_id="tint")', "Capability(**{})"])
def test_capability_that_is_no_plain_call(make, value):
    cells = ("byoc", f"from byoc_kit import Capability\ncapability = {value}"), ("byoc", PROCESS_FRAME)
    assert said(make(*cells)) == [
        "effects.ipynb, cell 1, line 2: capability must be a call of Capability with named arguments; write "
        'capability = Capability(model_id="my-model", price_per_unit=3000) in a tagged cell [capability]'
    ]


@pytest.mark.parametrize("value", ['f"{len}"', "{[]: 1}", "len('tint')", "__name__", "NAMES[0]", "TWICE"])
def test_capability_with_a_value_that_only_running_would_tell(make, value):
    names = "NAMES = ['tint']; TWICE = 'a'; TWICE = 'b'"
    cells = ("byoc", f"from byoc_kit import Capability\n{names}\ncapability = Capability(model_id={value})")
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        "effects.ipynb, cell 1, line 3: Capability, model_id: is not a literal, and the exporter does not run the "
        "notebook; write the value itself [capability]"
    ]


def test_a_capability_may_be_of_names_for_literals(make):
    names = "MODEL = 'tint'\nVERSION = 2\nPRICE: int = 3000\nWARM = False"
    call = "Capability(model_id=f'{MODEL}-{VERSION}', price_per_unit=PRICE, warm=WARM, capacity=1)"
    cells = [names, f"from byoc_kit import Capability\ncapability = {call}", PROCESS_FRAME]
    notebook = make(*(("byoc", source) for source in cells))
    assert said(notebook) == []
    assert read_capability(Analysis(notebook)) == Capability(model_id="tint-2", price_per_unit=3000, warm=False)


def test_a_name_for_a_literal_must_be_above_the_capability(make):
    cells = [
        "from byoc_kit import Capability\ncapability = Capability(model_id=MODEL)",
        "MODEL = 'tint'",
        PROCESS_FRAME,
    ]
    [finding] = check(make(*(("byoc", source) for source in cells)))
    assert (finding.code, finding.line) == ("used-before-definition", 2)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ("", "model_id: Field required"),
        ('model_id="tint", price_per_unit="3"', "price_per_unit: Input should be a valid integer"),
        ('model_id="tint", capacity=0', "capacity: Input should be greater than or equal to 1"),
        (
            'model_id="tint", gpu={}',
            'gpu: {} must be a name, megabytes of memory, or both: {"name": "NVIDIA L40S", "vram_mb": 46068}',
        ),
        ('model_id="tint", price_usd_per_hour="1"', "price_usd_per_hour: Input should be a valid number"),
    ],
)
def test_capability_with_a_bad_argument(make, arguments, wrong):
    cells = ("byoc", f"from byoc_kit import Capability\ncapability = Capability({arguments})")
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        f"effects.ipynb, cell 1, line 2: Capability, {wrong}; "
        'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1) [capability]'
    ]


def test_capability_with_an_argument_that_it_does_not_have(make):
    cells = ("byoc", 'from byoc_kit import Capability\ncapability = Capability(model_id="tint", gpus=1)')
    assert said(make(cells, ("byoc", PROCESS_FRAME))) == [
        "effects.ipynb, cell 1, line 2: Capability has no gpus; "
        "it has model_id, price_per_unit, warm, capacity, version, description, pixels_per_unit, price_usd_per_hour, "
        "gpu, url, image [capability]"
    ]


@pytest.mark.parametrize(
    "source",
    [
        'import byoc_kit as bk\ncapability = bk.Capability(model_id="tint")',
        'from byoc_kit import Capability as Offer\ncapability = Offer(model_id="tint")',
        'from byoc_kit import Capability\ncapability: Capability = Capability(model_id="tint")',
    ],
)
def test_a_capability_may_be_written_in_other_ways(make, source):
    assert said(make(("byoc", source), ("byoc", PROCESS_FRAME))) == []


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


NO_RETURN = "def process_frame(frame) -> {}:\n    {}"


@pytest.mark.parametrize(
    ("returns", "body", "is_found"),
    [
        ("VideoFrame", "frame.pixels[:] = 0", True),
        ("torch.Tensor", "x = lambda: frame\n    def f(): return frame", True),
        ("'VideoFrame'", "return", True),
        ("VideoFrame", "return frame", False),
        ("VideoFrame", "if frame.pts: return frame", False),
        ("VideoFrame", "raise NotImplementedError", False),
        ("VideoFrame | None", "frame.pixels[:] = 0", False),
        ("None", "frame.pixels[:] = 0", False),
    ],
)
def test_a_process_frame_that_says_what_it_returns_and_does_not(make, returns, body, is_found):
    head = "import torch\nfrom byoc_kit import VideoFrame\n"
    found = check(make(("byoc", CAPABILITY), ("byoc", head + NO_RETURN.format(returns, body))))
    assert [finding.code for finding in found] == ["no-return"] * is_found
    assert all(finding.hint == "end it with `return frame`" for finding in found)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("import matplotlib.pyplot as plt\ndef process_frame(frame):\n    plt.show()\n    return frame", True),
        (
            "from matplotlib import pyplot\ndef process_frame(frame):\n    pyplot.show(block=False)\n    return frame",
            True,
        ),
        ("from PIL import Image\ndef process_frame(frame):\n    Image.fromarray(frame.pixels).show()", True),
        ("import matplotlib.pyplot as plt\ndef process_frame(frame):\n    plt.plot([1])\n    return frame", False),
        ("def show(): pass\ndef process_frame(frame):\n    show()\n    return frame", False),
        ("import matplotlib.pyplot as plt\nDEBUG = False\nif DEBUG:\n    plt.show()\n" + PROCESS_FRAME, False),
    ],
)
def test_a_figure_that_is_shown_where_nobody_looks(make, source, is_found):
    codes = [finding.code for finding in check(make(("byoc", CAPABILITY), ("byoc", source)))]
    assert codes.count("shown-figure") == is_found


def test_a_process_frame_that_uses_params_is_told_to_take_them(make):
    hook = "def process_frame(frame):\n    return frame.tensor * params.gain"
    assert said(make(("byoc", CAPABILITY), ("byoc", hook))) == [
        "effects.ipynb, cell 2, line 2: process_frame uses params, and does not take them; "
        "add it: def process_frame(frame, params) [undefined-name]"
    ]
    [text] = said(make(("byoc", CAPABILITY), ("byoc", f"def f():\n    return params\n{PROCESS_FRAME}")))
    assert text.endswith("nothing defines params; define or import it [undefined-name]")


def test_a_class_of_parameters_that_is_not_tagged_is_the_one_finding(make):
    hook = "def process_frame(frame, params: Params):\n    return frame.tensor * params.gain + params.tone"
    kind = "import byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1\n    tone: float = 1"
    assert said(make(("byoc", CAPABILITY), ("", kind), ("byoc", hook))) == [
        "effects.ipynb, cell 3, line 1: Params is not in the tagged cells; cell 2 defines it; tag that cell `byoc` "
        "[untagged-name]"
    ]


def test_a_name_is_reported_once_with_all_its_lines(make):
    first = "x = TONE\ny = (TONE,\n     TONE)\nz = TONE + TONE"
    notebook = make(("", "TONE = 1"), ("byoc", first), ("byoc", f"{CAPABILITY}\nt = TONE"), ("byoc", PROCESS_FRAME))
    assert said(notebook) == [
        "effects.ipynb, cell 2, line 1: TONE is not in the tagged cells (also lines 2, 3 and 4; cell 3, line 4); "
        "cell 1 defines it; tag that cell `byoc` [untagged-name]"
    ]
