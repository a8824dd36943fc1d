import json
import os
import signal
import subprocess
import sys

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, notebook_json

from byoc_kit import __version__
from byoc_kit.cli import main

SOUND = ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def write(tmp_path):
    """Write effects.ipynb of (kind, source) pairs."""
    return lambda *cells: (tmp_path / "effects.ipynb").write_text(notebook_json(*cells))


def test_export_writes_the_bundle_and_its_wheel(run, write, tmp_path):
    write(*SOUND)
    code, out, err = run("export", "effects.ipynb")
    assert (code, err) == (0, "")
    [wheel] = (tmp_path / "export" / "effects" / "wheels").iterdir()
    assert wheel.match("byoc_kit-*.whl")
    assert out == (
        "wrote export/effects: processor.py, processor.map.json, requirements.lock, sbom.cdx.json, Dockerfile, "
        f".dockerignore, aiModels.json, runners.json, register.json, bundle.json, 1 wheel ({wheel.name}); "
        "next: byoc-kit verify export/effects\n"
    )


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["b.bin"], "1 asset (b.bin)"),
        (["b.bin", "a.bin", "c.bin"], "3 assets (a.bin, b.bin, c.bin)"),
        (["a.bin", "b.bin", "c.bin", "d.bin"], "4 assets"),
    ],
)
def test_an_export_names_its_assets_where_they_are_few(run, write, tmp_path, names, said):
    for name in names:
        (tmp_path / name).write_text(name)
    uses = [f'{name[0]} = byoc_kit.asset("{name}")' for name in names]
    write(*SOUND, ("byoc", "\n".join(["import byoc_kit", *uses])))
    code, out, _ = run("export", "effects.ipynb", "--no-hashes")
    assert code == 0
    assert f", bundle.json, {said}, 1 wheel (byoc_kit-" in out


def test_exporting_twice_changes_no_byte(run, write, tmp_path):
    write(*SOUND)
    bundles = []
    for _ in range(2):
        assert run("export", "effects.ipynb", "--output", "out")[0] == 0
        files = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
        bundles.append({path.name: path.read_bytes() for path in files})
    assert bundles[0] == bundles[1]


def test_an_export_says_what_was_left_out(run, write):
    write(*SOUND, ("byoc", "%matplotlib inline"))
    code, _, err = run("export", "effects.ipynb")
    assert (code, err) == (
        0,
        "effects.ipynb, cell 3, line 1: `%matplotlib inline` is left out: it changes nothing in a container; move it "
        "to a cell without the tag to be rid of this note [dropped-magic]\n",
    )


BAD = {
    "a magic": (
        (*SOUND, ("byoc", "%time")),
        "effects.ipynb, cell 3, line 1: `%time` is IPython, not Python; move it to a cell without the tag [magic]",
    ),
    "a syntax error": (
        (*SOUND, ("byoc", "x =")),
        "effects.ipynb, cell 3, line 1: invalid syntax: `x =`; correct it, or remove the tag [syntax-error]",
    ),
    "no process_frame": (
        (SOUND[0], ("", PROCESS_FRAME)),
        "effects.ipynb: no tagged cell defines process_frame; cell 2 defines it; tag that cell `byoc` "
        "[no-process-frame]",
    ),
    "two process_frames": (
        (*SOUND, SOUND[1]),
        "effects.ipynb, cell 3, line 1: process_frame is defined a second time (first in cell 2); "
        "keep one of them tagged [shadowed-hook]",
    ),
    "a capability that is no literal": (
        (("byoc", CAPABILITY.replace('"tint"', "__name__")), SOUND[1]),
        "effects.ipynb, cell 1, line 3: Capability, model_id: is not a literal, and the exporter does not run the "
        "notebook; write the value itself [capability]",
    ),
    "a bad argument of Capability": (
        (("byoc", CAPABILITY.replace(")", ", warm=1)")), SOUND[1]),
        "effects.ipynb, cell 1, line 3: Capability, warm: Input should be a valid boolean; "
        'write it as in Capability(model_id="my-model", price_per_unit=3000, warm=True, capacity=1) [capability]',
    ),
    "an undefined name": (
        (*SOUND, ("", "GAIN = 2"), ("byoc", "x = GAIN")),
        "effects.ipynb, cell 4, line 1: GAIN is not in the tagged cells; cell 3 defines it; "
        "tag that cell `byoc` [untagged-name]",
    ),
    "a module that is nowhere": (
        (*SOUND, ("byoc", "import no_such_module")),
        "effects.ipynb, cell 3, line 1: no installed distribution provides the module no_such_module; "
        "install it in this environment with pip [missing-module]",
    ),
}


@pytest.mark.parametrize(("cells", "said"), BAD.values(), ids=BAD)
def test_a_bad_notebook_is_one_line_and_no_bundle(run, write, tmp_path, cells, said):
    write(*cells)
    assert run("export", "effects.ipynb") == (2, "", f"byoc-kit: {said}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["effects.ipynb"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no notebook effects.ipynb; give the path of an .ipynb file"),
        ("{", "effects.ipynb is not valid JSON ("),
        ("[]", "effects.ipynb is not a notebook: it has no list of cells; give an .ipynb file of nbformat 4"),
        (json.dumps({"nbformat": 3, "worksheets": []}), "effects.ipynb is of an old format; convert it with "),
        (notebook_json(("", "x = 1")), "effects.ipynb: no code cell with something in it is tagged; "),
    ],
)
def test_a_file_that_is_no_notebook_is_one_line_and_no_bundle(run, tmp_path, text, said):
    if text is not None:
        (tmp_path / "effects.ipynb").write_text(text)
    code, out, err = run("export", "effects.ipynb")
    assert (code, out) == (2, "")
    assert err.startswith(f"byoc-kit: {said}")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "export").exists()


def test_an_export_locks_as_the_one_before_until_it_is_told_otherwise(run, write, tmp_path):
    write(*SOUND)

    def lock():
        return (tmp_path / "export" / "effects" / "requirements.lock").read_text()

    assert run("export", "effects.ipynb", "--no-hashes")[0] == 0
    assert "--hash" not in lock()
    assert run("export", "effects.ipynb")[0] == 0
    assert "--hash" not in lock()
    assert run("export", "effects.ipynb", "--check")[:2] == (0, "export/effects is as the notebook says\n")
    assert run("export", "effects.ipynb", "--hashes", "--device", "installed")[0] == 0
    assert "--hash" in lock()


def test_a_video_is_no_notebook(run, clip):
    assert run("check", clip) == (
        2,
        "",
        "byoc-kit: bigbuckbunny.mp4 is not a text file; give the path of an .ipynb file\n",
    )


def test_several_faults_are_one_line_each(run, write):
    write(("byoc", "x = GAIN"))
    code, _, err = run("export", "effects.ipynb")
    assert code == 2
    assert [line.split("[")[-1] for line in err.splitlines()] == [
        "no-capability]",
        "no-process-frame]",
        "undefined-name]",
    ]


def test_a_target_that_is_no_bundle_is_left_alone(run, write, tmp_path):
    write(*SOUND)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "main.tex").write_text("mine")
    assert run("export", "effects.ipynb", "-o", "thesis") == (
        2,
        "",
        "byoc-kit: thesis exists and is not a bundle; choose another folder with --output, or remove it\n",
    )
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["main.tex"]


def test_a_target_that_cannot_be_written_is_one_line(run, write):
    write(*SOUND)
    code, out, err = run("export", "effects.ipynb", "-o", "effects.ipynb/out")
    assert (code, out) == (2, "")
    assert err == (
        "byoc-kit: cannot write effects.ipynb/out: a part of its path is a file; choose another folder with --output\n"
    )


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
        (["serve", "b", "--port", "99999"], "argument --port: 99999 is no whole number from 0 to 65535"),
        (["watch", "n.ipynb", "--port", "-1"], "argument --port: -1 is no whole number from 0 to 65535"),
        (["network", "b", "--port", "http"], "argument --port: http is no whole number from 0 to 65535"),
        (["verify", "b", "--min-frames", "nan"], "argument --min-frames: nan is no number from 0 to 1"),
        (["verify", "b", "--max-diff", "0.5"], "argument --max-diff: 0.5 is no whole number from 0 to 255"),
        (["verify", "b", "--timeout", "inf"], "argument --timeout: inf is no number from 1 to 86400"),
        (["verify", "b", "--url", "ftp://x"], "argument --url: ftp://x is no http:// or https:// URL"),
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


@pytest.mark.parametrize("name", ["..ipynb", "...ipynb"])
def test_a_notebook_whose_name_is_a_folder_above_needs_an_output(run, tmp_path, name):
    (tmp_path / name).write_text(notebook_json(*SOUND))
    assert run("export", name) == (
        2,
        "",
        f"byoc-kit: {name} gives a bundle no name; choose its folder with --output\n",
    )
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_path_cannot_command_the_terminal(run):
    code, _, err = run("export", "a\x1b[2J.ipynb")
    assert (code, err) == (2, "byoc-kit: there is no notebook a\\x1b[2J.ipynb; give the path of an .ipynb file\n")


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


def test_the_local_network_says_how_to_start_a_stream_and_ends_with_ctrl_c(tmp_path):
    models = tmp_path / "aiModels.json"
    entry = {"pipeline": "live-video-to-video", "model_id": "tint", "price_per_unit": 1, "url": "http://127.0.0.1:9"}
    models.write_text(json.dumps([entry]))
    command = [sys.executable, "-m", "byoc_kit", "network", str(models), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first, second = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)
    url = first.split()[2].rstrip(";")
    assert first == f"orchestrator at {url}; Ctrl-C ends it. Start a stream with:\n"
    assert second == f"""  curl {url}/stream/start -H content-type:application/json -d '{{"model_id": "tint"}}'\n"""
    assert (process.returncode, rest) == (0, ("", ""))


@pytest.mark.parametrize(("command", "port"), [("serve", 8000), ("watch", 8000), ("network", 8935)])
def test_where_a_server_listens_is_in_its_help(run, capsys, command, port):
    with pytest.raises(SystemExit):
        run(command, "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "--host HOST the address to listen on; 0.0.0.0 is each that this machine has (default: 127.0.0.1)" in said
    assert f"--port PORT the TCP port to listen on; 0 takes a free one (default: {port})" in said


def network_says(lines, *arguments):
    """Run the local network until it has said so many lines, end it, and return them with its URL."""
    command = [sys.executable, "-m", "byoc_kit", "network", *map(str, arguments), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, ("", ""))
    return said, said[0].split()[2].rstrip(";")


def test_the_local_network_takes_runners_json_and_says_how_to_reserve(tmp_path):
    entry = {
        "label": "tint",
        "routing": "label",
        "runner_url": "http://127.0.0.1:9",
        "health_url": "/health",
        "app": "live-video-to-video/tint",
    }
    runners = tmp_path / "mine.json"
    runners.write_text(json.dumps({"runners": [entry]}))
    said, url = network_says(4, runners, "--secret", "s", "--runner-url-base", "http://orchestrator:8935")
    assert said == [
        f"orchestrator at {url}; Ctrl-C ends it.\n",
        "tint does not answer its health check yet. Reserve a session with:\n",
        f"  curl -X POST {url}/apps/tint/session\n",
        "Containers register at http://orchestrator:8935/runners/heartbeat.\n",
    ]


def test_the_local_network_serves_https(tmp_path):
    said, url = network_says(2, "--secret", "s", "--tls")
    assert url.startswith("https://127.0.0.1:")
    assert said[1] == f"Containers register at {url}/runners/heartbeat.\n"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ('{"runners": [{}]}', "runners.json, line 1, column 14: runners[0]: label is required and must be trimmed"),
        ("[", "runners.json, line 1, column 2: is not JSON: the end of the file instead of a value"),
    ],
)
def test_a_runners_json_with_an_error_is_one_sentence(run, tmp_path, document, sentence):
    (tmp_path / "runners.json").write_text(document)
    code, _, err = run("network", str(tmp_path / "runners.json"))
    assert code == 2
    assert err.strip().endswith(sentence)


def test_a_network_of_nothing_is_refused(run):
    code, _, err = run("network")
    assert code == 2
    assert "nothing is declared; give aiModels.json, runners.json or a bundle, or a --secret" in err
