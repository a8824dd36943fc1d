import json

from notebook_rig import CAPABILITY, PROCESS_FRAME, check

from byoc_kit.notebook.report import as_github, as_json, as_text

NOTHING = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)


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
