import os
import subprocess
import sys

import pytest
from command_rig import run

__all__ = ["run"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_gets_what_makes_it_complete(run, shell):
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "byoc-kit" in out
    assert "_ARGCOMPLETE" in out


@pytest.mark.parametrize(
    ("typed", "completions"),
    [("byoc-kit ch", {"check"}), ("byoc-kit verify --min-", {"--min-frames", "--min-psnr"})],
)
def test_bash_completes_commands_and_options(tmp_path, typed, completions):
    asked = {"COMP_LINE": typed, "COMP_POINT": str(len(typed)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
    answer = tmp_path / "completions"
    subprocess.run(
        [sys.executable, "-m", "byoc_kit.cli"],
        env={**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)},
        check=True,
    )
    assert {line.strip() for line in answer.read_text().split("\n")} == completions
