import pytest
from notebook_rig import write_notebook

from byoc_kit.cli import main
from byoc_kit.notebook.check import RULES

__all__ = ["write_notebook"]


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
