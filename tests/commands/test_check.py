import json
import re

import pytest
from command_rig import SOUND, run, write
from notebook_rig import write_notebook

from byoc_kit.cli import main
from byoc_kit.notebook.check import RULES

__all__ = ["run", "write", "write_notebook"]


def test_a_video_is_no_notebook(run, clip):
    said = "is not a notebook; give the path of a notebook, a file that ends in .ipynb"
    assert run("check", clip) == (2, "", f"byoc-kit: bigbuckbunny.mp4 {said}\n")


def test_a_text_is_no_notebook(run, tmp_path):
    (tmp_path / "README.md").write_text("# Effects\n")
    said = "is not a notebook; give the path of a notebook, a file that ends in .ipynb"
    assert run("check", "README.md") == (2, "", f"byoc-kit: README.md {said}\n")


def test_errors_end_it_with_1_and_are_said_in_the_form_asked_for(run, write):
    write(("byoc", "x = GAIN"), *SOUND)
    code, out, err = run("check", "effects.ipynb")
    assert (code, err) == (1, "")
    assert out.splitlines()[0] == "error[undefined-name]: nothing defines GAIN"
    assert out.splitlines()[-1] == "effects.ipynb: 1 error"
    code, out, _ = run("check", "effects.ipynb", "--format", "json")
    assert (code, json.loads(out)["ok"]) == (1, False)
    code, out, _ = run("check", "effects.ipynb", "--format", "github")
    assert code == 1
    assert out.startswith("::error file=effects.ipynb,title=undefined-name")


def test_what_only_a_person_can_mend_is_left_by_fix(run, write):
    write(*SOUND, ("byoc", "x = GAIN"))
    code, _, err = run("check", "effects.ipynb", "--fix")
    assert code == 1
    assert err == "--fix sets tags and changes no code: fix the rest yourself\n"


def test_a_code_is_explained_and_a_near_miss_named(run):
    code, out, _ = run("check", "--explain", "undefined-name")
    assert code == 0
    assert out.startswith("error[undefined-name]\n\n")
    said = "byoc-kit: there is no finding called undefined-nam; did you mean undefined-name?\n"
    assert run("check", "--explain", "undefined-nam") == (2, "", said)


def test_all_codes_are_listed_in_columns(run):
    code, out, _ = run("check", "--codes")
    found = [re.search(r"  (?:error|warning|note) +\S", line) for line in out.partition("\n\n")[0].splitlines()]
    assert code == 0
    assert len(found) > 30
    assert len({one.start() for one in found}) == len({one.end() for one in found}) == 1


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
