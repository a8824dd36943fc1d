"""Each code block of the README and of CONTRIBUTING.md is run as it is written."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import pytest
from lab_rig import READ_CANVAS, browser, choose, lab, open_notebook, page
from notebook_rig import notebook_json

from byoc_kit.cli import _parser
from byoc_kit.frames import VideoFrame

__all__ = ["browser", "lab", "page"]  # fixtures

ROOT = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
DEADLINE_S = 120
MODEL = "import byoc_kit\nfrom byoc_kit import Capability"
# How each block begins, and the test that runs it.
RUN_BY = {
    "make demo ": "test_the_two_commands_are_targets",
    MODEL: "test_the_whole_model_tints_a_frame",
    'byoc_kit.preview(process_frame, source="webcam")': "test_the_webcam_plays_in_jupyterlab",
    "byoc-kit check work/sepia.ipynb": "test_a_notebook_of_ones_own_goes_the_whole_way",
    "byoc-kit serve export/green_tint ": "test_a_video_streams_through_the_local_network",
    'byoc_kit.preview(lambda frame: frame, source="OUTPUT_URL")': "test_a_video_streams_through_the_local_network",
    "error[untagged-name]": "test_a_finding_looks_as_shown",
    "mkdir -p reports\npapermill": "test_a_regression_notebook_of_ones_own",
    "curl https://ORCHESTRATOR": "test_the_registration_is_of_the_types_that_an_orchestrator_takes",
    ". .venv/bin/activate\npytest": "test_the_test_commands_find_tests",
}


def blocks():
    """Return the code blocks of the documents, without their indentation."""
    fence = re.compile(r"^( *)```\w*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    texts = [(ROOT / name).read_text() for name in DOCUMENTS]
    return [textwrap.dedent(found[2]) for text in texts for found in fence.finditer(text)]


def block(begin):
    (found,) = [text for text in blocks() if text.startswith(begin)]
    return found


def test_each_block_is_run_by_a_test():
    begun = [[begin for begin in RUN_BY if text.startswith(begin)] for text in blocks()]
    unknown = [text for text, begins in zip(blocks(), begun, strict=True) if len(begins) != 1]
    assert not unknown
    assert sorted(begin for begins in begun for begin in begins) == sorted(RUN_BY)
    assert set(RUN_BY.values()) <= globals().keys()


@pytest.fixture
def clone(tmp_path):
    """The parts of a fresh clone that a reader uses."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copytree(ROOT / "export", tmp_path / "export", ignore=shutil.ignore_patterns("wheels"))
    return tmp_path


@pytest.fixture
def environment(tmp_path):
    """The activated environment, without settings of the machine's."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    jupyter = {f"JUPYTER_{name}_DIR": str(tmp_path / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    return {**os.environ, **jupyter, "PATH": path, "IPYTHONDIR": str(tmp_path / "ipython")}


def run(lines, *, cwd, env):
    done = subprocess.run(
        ["bash", "-euc", lines], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=DEADLINE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def until(condition, what):
    deadline_s = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.05)
    return result


def test_the_two_commands_are_targets():
    for line in block("make demo ").splitlines():
        subprocess.run(["make", "-n", line.split()[1]], cwd=ROOT, check=True, capture_output=True)


def test_the_whole_model_tints_a_frame():
    model = {}
    exec(block(MODEL), model)  # noqa: S102  # as a reader would
    frame = VideoFrame.from_pixels(np.full((4, 4, 3), 100, np.uint8))
    tinted = model["process_frame"](frame, model["Params"]())
    assert tinted.pixels[0, 0].tolist() == [100, 140, 100]


@pytest.fixture
def sepia(tmp_path, clip):
    """A folder with ``work/sepia.ipynb``, which holds the README's model, and a clip beside it."""
    model = block(MODEL)
    (tmp_path / "work" / "clips").mkdir(parents=True)
    shutil.copy(clip, tmp_path / "work" / "clips")
    (tmp_path / "work" / "sepia.ipynb").write_text(notebook_json(("byoc", model)))
    return tmp_path


def test_a_notebook_of_ones_own_goes_the_whole_way(sepia, environment):
    lines = block("byoc-kit check work/sepia.ipynb").splitlines()
    for line in lines:
        assert _parser().parse_args(shlex.split(line, comments=True)[1:])
    # tests/image builds and verifies an image, from wheels: a build has no index everywhere.
    here = [line for line in lines if "build" not in line and "--image" not in line]
    assert len(here) == len(lines) - 2
    typed = "\n".join(here).replace("byoc-kit verify", "byoc-kit verify --min-frames 0.1")  # a busy machine drops more
    run(typed, cwd=sepia, env=environment)
    assert (sepia / "reports" / "sepia" / "report.html").is_file()


def test_the_commands_of_the_table_are_commands():
    typed = re.findall(r"^\| `byoc-kit (.*?)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(typed) >= 8
    for command in typed:
        assert _parser().parse_args(shlex.split(command))


def test_a_finding_looks_as_shown(tmp_path, environment):
    shown = block("error[untagged-name]")
    cells = [("", "GAIN = 2"), ("", "x = 1"), ("byoc", "def process_frame(frame):\n    return frame * GAIN")]
    document = json.loads(notebook_json(*cells, ("byoc", "from byoc_kit import Capability"), ("byoc", CAPABILITY)))
    document["cells"][2]["id"] = "process"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "effects.ipynb").write_text(json.dumps(document))
    done = subprocess.run(
        ["byoc-kit", "check", "notebooks/effects.ipynb"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown in done.stdout


CAPABILITY = 'capability = Capability(model_id="tint")'


@contextmanager
def running(line, *, cwd, env):
    """Run a server's line in a terminal of its own; gives its log."""
    with (cwd / "log").open("a+") as log:
        process = subprocess.Popen(
            shlex.split(line, comments=True), cwd=cwd, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield (cwd / "log").read_text
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


@pytest.mark.browser
def test_the_webcam_plays_in_jupyterlab(lab, page):
    play(page, lab, "webcam.ipynb", block(MODEL), block("byoc_kit.preview(process_frame"))


def play(page, lab, name, *cells):
    """Run the cells in JupyterLab until the preview of the last one plays what is live."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=kernel)
    nbformat.write(notebook, lab.folder / name)
    open_notebook(page, lab, name)
    choose(page, "Run", "Run All Cells")
    page.locator(".byoc-preview-where", has_text="live").wait_for()
    before = page.evaluate(READ_CANVAS, "output")["sum"]
    page.wait_for_function(f"before => ({READ_CANVAS})('output').sum !== before", arg=before)


@pytest.mark.browser
@pytest.mark.ffmpeg
def test_a_video_streams_through_the_local_network(clone, environment, free_port, lab, page):
    ports = {"8000": str(free_port), "8935": str(_other_port(free_port))}
    recipe = block("byoc-kit serve export/green_tint ").replace("\\\n", "")
    for port, free in ports.items():
        recipe = recipe.replace(f":{port}", f":{free}")
    serve, network, start, send, change, stop = recipe.splitlines()
    # The models' URLs are in the bundle; what listens elsewhere than usual says so there.
    models = clone / "export" / "green_tint" / "aiModels.json"
    models.write_text(models.read_text().replace(":8000", f":{ports['8000']}"))
    with (
        running(f"{serve.partition('#')[0]} --port {ports['8000']}", cwd=clone, env=environment) as log,
        running(f"{network.partition('#')[0]} --port {ports['8935']}", cwd=clone, env=environment),
    ):
        until(lambda: " ready" in log(), "the model is loaded")
        until(lambda: "Start a stream" in log(), "the network is there")
        advertised = f"http://127.0.0.1:{ports['8935']}/models"
        until(lambda: b"green-tint" in _get(advertised), "it is advertised")
        urls = json.loads(run(f"{start.replace('curl', 'curl -s')}", cwd=clone, env=environment))
        with running(send.replace("INPUT_URL", urls["input_url"]), cwd=clone, env=environment):
            status = f"http://127.0.0.1:{ports['8000']}/stream/status"
            until(lambda: json.loads(_get(status))["streams"][0].get("frames_encoded", 0) > 25, "frames come out")
            assert '"success"' in run(change, cwd=clone, env=environment)
            assert json.loads(_get(status))["streams"][0]["params"]["gain"] == 3
            watch = block("byoc_kit.preview(lambda").replace("OUTPUT_URL", urls["output_url"])
            play(page, lab, "watch.ipynb", f"import byoc_kit\n{watch}")
        assert '"stopped": 1' in run(stop, cwd=clone, env=environment)


def _get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def _other_port(port):
    return port + 1 if port < 60_000 else port - 1


def test_a_regression_notebook_of_ones_own(sepia, environment):
    """Do as "For your own notebook" says, for the notebook of the section before."""
    run("byoc-kit export work/sepia.ipynb --no-hashes", cwd=sepia, env=environment)
    folder = sepia / "notebooks" / "regression"
    folder.mkdir(parents=True)
    notebook = nbformat.read(ROOT / "notebooks" / "regression" / "green_tint.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    for before, after in [
        ("export/green_tint", "export/sepia"),
        ("../clips/", "../../work/clips/"),
        ("golden/green_tint", "golden/sepia"),
        ('{"gain": 1.4}', '{"gain": 1.2}'),
    ]:
        assert before in first.source
        first.source = first.source.replace(before, after)
    nbformat.write(notebook, folder / "sepia.ipynb")
    record = re.search(r"```python\n(.*)\n```", notebook.cells[-1].source, re.DOTALL)[1]
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(first.source + chr(10) + record)}"
    run(command, cwd=folder, env=environment)
    assert list((folder / "golden" / "sepia").glob("*.png"))
    guard = block("mkdir -p reports\npapermill").replace("green_tint", "sepia")
    run(guard, cwd=sepia, env=environment)
    executed = nbformat.read(sepia / "reports" / "out.ipynb", as_version=4)
    assert any("image/png" in output.get("data", {}) for cell in executed.cells for output in cell.get("outputs", []))


def test_the_registration_is_of_the_types_that_an_orchestrator_takes():
    arguments = shlex.split(block("curl https://ORCHESTRATOR"))
    body = json.loads(arguments[arguments.index("--json") + 1])
    kinds = {name: type(value) for name, value in body.items()}
    numbers = dict.fromkeys(["capacity", "price_per_unit", "price_scaling"], int)
    assert kinds == dict.fromkeys(["name", "description", "url", "currency"], str) | numbers


def test_the_test_commands_find_tests(environment):
    for line in block(". .venv/bin/activate\npytest").splitlines()[1:]:
        *settings, command = line.partition("#")[0].rstrip().rpartition("pytest")
        if not command.strip():  # all tests; the other lines show that they can be collected
            continue
        out = run(f"{settings[0]}pytest --collect-only -q {command} | tail -1", cwd=ROOT, env=environment)
        assert re.search(r"\d+(/\d+)? tests collected", out)
