import subprocess
import sys

import pytest
from command_rig import SOUND, run, write

from byoc_kit import __version__

__all__ = ["run", "write"]


@pytest.mark.parametrize("command", ["serve", "build", "verify"])
def test_a_folder_that_is_no_bundle_is_one_line(run, command):
    assert run(command, "nowhere") == (
        2,
        "",
        "byoc-kit: nowhere is not a bundle: it has no bundle.json; make one with `byoc-kit export NOTEBOOK`\n",
    )


@pytest.mark.slow
def test_a_cell_that_raises_is_one_line(run, write, clip):
    write(*SOUND, ("byoc", "x = 1 / 0"), ("markdown", "# clips"))
    assert run("export", "effects.ipynb", "-o", "out")[0] == 0
    code, out, _ = run("verify", "out", "--clip", clip, "--skip-notebook")
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("module")] == [
        "module               effects.ipynb, cell 3, line 1: ZeroDivisionError: division by zero; "
        "run the notebook from the top to see it",
    ]


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["export"]])
def test_a_wrong_command_line_exits_with_2(run, arguments):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "b", "--port", "99999"], "argument --port: 99999 is not a whole number from 0 to 65535"),
        (["watch", "n.ipynb", "--port", "-1"], "argument --port: -1 is not a whole number from 0 to 65535"),
        (["network", "b", "--port", "http"], "argument --port: http is not a whole number from 0 to 65535"),
        (["verify", "b", "--min-frames", "nan"], "argument --min-frames: nan is not a number from 0 to 1"),
        (["verify", "b", "--max-diff", "0.5"], "argument --max-diff: 0.5 is not a whole number from 0 to 255"),
        (["verify", "b", "--timeout", "inf"], "argument --timeout: inf is not a number from 1 to 86400"),
        (["verify", "b", "--url", "ftp://x"], "argument --url: ftp://x is not an http:// or https:// URL"),
    ],
)
def test_an_argument_that_does_not_fit_is_one_sentence(run, capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {said}")


def test_the_version_is_reported(run, capsys):
    with pytest.raises(SystemExit) as caught:
        run("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "byoc-kit 0.1.0\n"


@pytest.mark.parametrize(("typed", "meant"), [("chek", "check"), ("exprot", "export"), ("verfy", "verify")])
def test_a_command_that_is_nearly_typed_is_named(run, capsys, typed, meant):
    with pytest.raises(SystemExit) as ended:
        run(typed, "effects.ipynb")
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"byoc-kit: error: there is no command {typed}; did you mean {meant}?"
    )


def test_the_package_can_be_run_as_the_command():
    done = subprocess.run([sys.executable, "-m", "byoc_kit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"byoc-kit {__version__}\n"


@pytest.mark.parametrize(("command", "port"), [("serve", 8000), ("watch", 8000), ("network", 8935)])
def test_where_a_server_listens_is_in_its_help(run, capsys, command, port):
    with pytest.raises(SystemExit):
        run(command, "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "--host HOST the address to listen on; 0.0.0.0 means all of this machine's (default: 127.0.0.1)" in said
    assert f"--port PORT the TCP port to listen on; 0 chooses a free one (default: {port})" in said
