import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, check, plan_file

from byoc_kit.cli import main
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import RULES
from byoc_kit.notebook.fix import missing_cells

SEVERAL = CAPABILITY.replace(")", ", capacity=4)")

# By code: tagged cells with one such finding, the line of which ends with ###.
FOUND = {
    "absolute-path": ['data = open("/opt/models/lut.bin").read()  ###'],
    "download": ['import urllib.request\n\npage = urllib.request.urlopen("https://example.org/lut")  ###'],
    "hidden-params": [
        "def timed(f):\n    def run(*args, **named):\n        return f(*args, **named)\n    return run",
        "@timed  ###\ndef process_frame(frame, params):\n    return frame",
    ],
    "hook-name": ["def load_models():  ###\n    pass"],
    "missing-module": ["import tensorrt_of_the_image  ###"],
    "missing-name": ["from json import no_such_name  ###"],
    "notebook-only": ["from IPython.display import display  ###"],
    "pickle": ['import pickle\n\ndata = pickle.loads(b"")  ###'],
    "no-return": [
        "from byoc_kit import VideoFrame",
        "def process_frame(frame) -> VideoFrame:  ###\n    frame.pixels[:] = 0",
    ],
    "shown-figure": [
        "import numpy as np\nfrom PIL import Image\n\nImage.fromarray(np.zeros((2, 2), np.uint8)).show()  ###"
    ],
    "needs-gpu": ["import torch\n\nnet = torch.nn.Linear(1, 1).cuda()  ###"],
    "scaled-tensor": ["def process_frame(frame):\n    return frame.tensor * 255  ###"],
    "secret": [f'token = "hf_{24 * "a"}"  ###'],
    "shared-start": ["seen = []", "def on_stream_stop():\n    seen.clear()  ###"],
    "shared-state": ["seen = []", "def process_frame(frame):\n    seen.append(frame)  ###\n    return frame"],
    "undeclared-file": ['data = open("lut.bin").read()  ###'],
    "undefined-name": ["x = GAIN  ###"],
    "unknown-param": [
        "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0",
        "def process_frame(frame, params):\n    params.gian  ###\n    return frame",
    ],
    "unused-params": [
        "import byoc_kit\n\nclass Params(byoc_kit.Params):\n    gain: float = 1.0",
        "def process_frame(frame):  ###\n    return frame.tensor * Params().gain",
    ],
    "used-before-definition": ["x = GAIN  ###", "GAIN = 2"],
}


def codes_of(make, cells, comment):
    sources = [cell.replace("###", comment) for cell in cells]
    rest = [] if any("def process_frame" in source for source in sources) else [PROCESS_FRAME]
    return [finding.code for finding in check(make(*(("byoc", source) for source in (*sources, SEVERAL, *rest))))]


@pytest.mark.parametrize("code", FOUND)
def test_a_comment_lets_a_finding_of_its_line_pass(make, code):
    assert codes_of(make, FOUND[code], "") == [code]
    assert codes_of(make, FOUND[code], f"# byoc: ignore[{code}]") == []
    assert codes_of(make, FOUND[code], f"# a remark  # BYOC:ignore[ {code} ] the image has it") == []


def test_a_name_of_another_cell_may_be_left_to_the_code_itself(make):
    cells = [
        ("byoc", "x = globals() and GAIN  # byoc: ignore[untagged-name]"),
        ("", "GAIN = 2"),
        *(("byoc", source) for source in (CAPABILITY, PROCESS_FRAME)),
    ]
    notebook = make(*cells)
    assert check(notebook) == []
    assert missing_cells(Analysis(notebook)) == []


def test_what_the_notebook_does_on_purpose_may_pass(make):
    hook = (
        "prev, times = None, []\n\n\ndef process_frame(frame):\n    global prev\n"
        "    prev = frame.tensor{}\n    times.append(frame.time_s){}\n    return frame"
    )
    cells = ("byoc", CAPABILITY), ("", "GAIN = 2"), ("byoc", "def f(): return GAIN")
    for comment, codes in (("", ["rebound-name", "kept-frame", "growing-state"]), ("  # byoc: ignore[{}]", [])):
        rebound, kept, growing = map(comment.format, ("rebound-name", "kept-frame", "growing-state"))
        notebook = make(("byoc", f"GAIN = 1{rebound}"), *cells, ("byoc", hook.format(kept, growing)))
        assert [finding.code for finding in check(notebook)] == codes


def test_whatever_can_be_ignored_was_tried():
    assert {*FOUND, "file-beside", "growing-state", "kept-frame", "rebound-name", "untagged-name"} == {
        code for code, rule in RULES.items() if rule.ignorable
    }


def test_several_are_named_in_one_comment(make_sound):
    line = f'data = open("/opt/hf_{24 * "a"}").read()'
    assert sorted(finding.code for finding in check(make_sound(line))) == ["absolute-path", "secret"]
    assert check(make_sound(f"{line}  # byoc: ignore[secret, absolute-path]")) == []
    assert [finding.code for finding in check(make_sound(f"{line}  # byoc: ignore[secret]"))] == ["absolute-path"]


@pytest.mark.parametrize(
    "named", ["secret, absolute-path", "Secret absolute-path,", "secret]  # byoc: ignore[absolute-path"]
)
def test_how_several_are_named(make_sound, named):
    line = f'data = open("/opt/hf_{24 * "a"}").read()'
    assert check(make_sound(f"{line}  # byoc: ignore[{named}]")) == []


@pytest.mark.parametrize(
    "source",
    [
        'KEY = """-----BEGIN PRIVATE KEY-----\nabc\n"""  # byoc: ignore[secret]',
        'data = "a" + \\\n  "-----BEGIN PRIVATE KEY-----" + \\\n  "b"  # byoc: ignore[secret]',
        'data = f"""\n{GAIN}\n"""  # byoc: ignore[undefined-name]',
        'data = f"""\n{GAIN}\n{f"x"}\n"""  # byoc: ignore[undefined-name]',
        'data = open(\n  "/opt/lut.bin",  # byoc: ignore[absolute-path]\n)',
    ],
    ids=["a long text", "a backslash", "a long f-string", "one in another", "brackets"],
)
def test_a_line_that_no_comment_can_end_is_covered_by_the_end_of_its_text(make_sound, source):
    assert check(make_sound(source)) == []


def test_the_same_finding_of_another_line_does_not_pass(make, make_sound):
    twice = make_sound("import zzz  # byoc: ignore[missing-module]", "import zzz")
    assert [(finding.code, finding.cell) for finding in check(twice)] == [("missing-module", 2)]
    hook = "def process_frame(f):\n    seen.append(f)  # byoc: ignore[shared-state]\n    seen.clear()\n    return f"
    shared = make(*(("byoc", source) for source in (SEVERAL, "seen = []", hook)))
    assert [(finding.code, finding.line) for finding in check(shared)] == [("shared-state", 3)]
    assert len(check(make_sound("import zzz", "import zzz"))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "x = GAIN\n# byoc: ignore[undefined-name]",
        'x = GAIN, "# byoc: ignore[undefined-name]"',
        "x = GAIN  # byoc ignore[undefined-name]",
    ],
    ids=["the next line", "a text", "no such comment"],
)
def test_what_is_no_comment_of_the_line_lets_nothing_pass(make_sound, source):
    assert next(finding.code for finding in check(make_sound(source))) == "undefined-name"


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        (
            "# byoc: ignore[secret]",
            "there is no secret in this line; "
            "remove the comment, or put it at the end of the line that the finding names",
        ),
        (
            "# byoc: ignore[magic]",
            "magic cannot be ignored; change the line as the finding says, and remove the comment",
        ),
        ("# byoc: ignore[secrets]", "there is no finding called secrets; did you mean secret"),
        ("# byoc: ignore[xyz]", "there is no finding called xyz; `byoc-kit check --codes` lists them"),
        (
            "# byoc: ignore",
            "the comment does not say what is to be ignored; "
            "name it: `# byoc: ignore[secret]`; several codes stand between commas",
        ),
    ],
)
def test_a_comment_that_lets_nothing_pass_is_reported(make_sound, comment, said):
    [finding] = check(make_sound(f"x = 1  {comment}"))
    assert str(finding) == f"effects.ipynb, cell 1, line 1: {said} [unused-ignore]"
    assert (finding.place.column, finding.place.end_column) == (8, 8 + len(comment))
    assert not finding.is_error


def test_a_misspelt_comment_is_reported_with_the_error_that_it_should_let_pass(make_sound):
    findings = check(make_sound(f'token = "hf_{24 * "a"}"  # byoc: ignore[secrets]'))
    assert [finding.code for finding in findings] == ["secret", "unused-ignore"]


def test_nothing_is_reported_of_comments_as_long_as_the_notebook_was_not_checked_to_its_end(make_sound):
    assert [finding.code for finding in check(make_sound("x = = 1\ny = 2  # byoc: ignore[secret]"))] == ["syntax-error"]


def test_what_was_ignored_is_exported_as_it_stands(write_notebook, tmp_path, capsys):
    source = "import tensorrt_of_the_image  # byoc: ignore[missing-module]"
    path = write_notebook(source)
    assert main(["check", str(path)]) == 0
    files = plan_file(path, tmp_path / "export", with_hashes=False).files
    assert source in files["processor.py"].decode()
    lock = files["requirements.lock"].decode()
    assert "# Without tensorrt_of_the_image, which no installed distribution provides.\n" in lock
    assert "no problems found" in capsys.readouterr().out
