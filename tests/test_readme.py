"""Each code block of the README, of CONTRIBUTING.md and of the pages in ``docs/`` is run as it is written."""

import ast
import asyncio
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
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from aiohttp import web
from lab_rig import READ_CANVAS, browser, choose, lab, open_notebook, page
from notebook_rig import notebook_json, plan_file
from PIL import Image
from remote_rig import REPO, Hub, Server, cache, hub, server
from safetensors.torch import save_file
from web_rig import served

import byoc_kit
from byoc_kit.bundle.plan import write
from byoc_kit.cli import _parser
from byoc_kit.core.bundle_reader import load_processor, read_bundle
from byoc_kit.core.frames import VideoFrame
from byoc_kit.system.concurrency import call_on_thread

__all__ = ["browser", "cache", "hub", "lab", "page", "server"]  # fixtures

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "findings.md"),  # it is made of what is run
]
DEADLINE_S = 120
MODEL = 'model_id="green-tint"'
TUTORIAL = "test_the_tutorial_goes_the_whole_way"
# A part of each block, and the test that runs it.
RUN_BY = {
    "make demo ": "test_the_two_commands_are_targets",
    MODEL: "test_the_whole_model_tints_a_frame",
    "byoc-kit build export/green_tint ": "test_the_example_goes_the_whole_way",
    "curl -f --data-binary @picture.jpg": "test_a_picture_is_processed",
    "curl -f -F picture=@in.jpg": "test_a_picture_is_processed",
    'byoc_kit.preview(process_frame, source="webcam")': "test_the_webcam_plays_in_jupyterlab",
    "byoc-kit serve export/green_tint ": "test_a_video_streams_through_the_local_network",
    'byoc_kit.preview(lambda frame: frame, source="OUTPUT_URL")': "test_a_video_streams_through_the_local_network",
    'byoc_kit.local_network("export/green_tint")': "test_the_local_network_runs_inside_a_program",
    "error[untagged-name]": "test_a_finding_looks_as_shown",
    "papermill --cwd": "test_a_regression_notebook_of_ones_own",
    "curl https://ORCHESTRATOR": "test_the_registration_is_of_the_types_that_an_orchestrator_takes",
    "livepeer -orchestrator": "test_the_image_of_a_managed_model_is_given_as_a_flag",
    '"label": "green-tint"': "test_a_live_runner_session_is_reserved",
    "byoc-kit network runners.json": "test_a_live_runner_session_is_reserved",
    "curl -k -X POST https://ORCHESTRATOR": "test_a_live_runner_session_is_reserved",
    "-e BYOC_KIT_REGISTER_AS=live-runner": "test_a_container_registers_itself_as_a_live_runner",
    "-e BYOC_KIT_REGISTER_AS=byoc": "test_a_container_registers_itself_as_a_capability",
    "byoc-kit register export/green_tint": "test_a_container_that_runs_is_registered",
    "hf://stabilityai/sd-turbo@main": "test_assets_that_lie_elsewhere_are_fetched",
    ". .venv/bin/activate\npytest": "test_the_test_commands_find_tests",
    'model_id="trails"': "test_a_model_of_the_docs_is_exported_and_runs",
    'model_id="grade"': "test_a_model_of_the_docs_is_exported_and_runs",
    'model_id="colour-matrix"': "test_a_model_of_the_docs_is_exported_and_runs",
    'model_id="louder"': "test_a_model_of_the_docs_is_exported_and_runs",
    'model_id="brightness"': "test_what_is_published_is_read",
    "curl -sf DATA_URL/next": "test_what_is_published_is_read",
    '"brightness":0.': "test_what_is_published_is_read",
    'model_id="sepia"': TUTORIAL,
    "SEPIA =": TUTORIAL,
    "byoc_kit.preview(process_frame)": TUTORIAL,
    "byoc-kit check work/sepia.ipynb": TUTORIAL,
    "byoc-kit verify export/sepia\n": TUTORIAL,
    "byoc-kit build export/sepia": TUTORIAL,
}


def blocks():
    """Return the code blocks of the documents, each once and without its indentation; ```text is a drawing."""
    fence = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    found = [one for path in DOCUMENTS for one in fence.finditer(path.read_text())]
    return list(dict.fromkeys(textwrap.dedent(one[3]) for one in found if one[2] != "text"))


def block(part):
    (found,) = [text for text in blocks() if part in text]
    return found


def test_each_block_is_run_by_a_test():
    found = [[part for part in RUN_BY if part in text] for text in blocks()]
    unknown = [text for text, parts in zip(blocks(), found, strict=True) if len(parts) != 1]
    assert not unknown
    assert sorted(part for parts in found for part in parts) == sorted(RUN_BY)
    assert set(RUN_BY.values()) <= globals().keys()


@pytest.fixture
def clone(tmp_path, short_clip):
    """The parts of a fresh clone that a reader uses, with the start of the clip in its place."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(short_clip, tmp_path / "notebooks/clips/bigbuckbunny.mp4")
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


@pytest.mark.slow
def test_the_example_goes_the_whole_way(clone, environment):
    run_those_without_docker(block("byoc-kit build export/green_tint "), cwd=clone, env=environment)
    assert (clone / "reports" / "green_tint" / "report.html").is_file()


def run_those_without_docker(lines, *, cwd, env):
    """Run the commands but those of an image, which tests/image builds and verifies from wheels.

    A build has no index everywhere.
    """
    typed = lines.splitlines()
    for line in typed:
        assert _parser().parse_args(shlex.split(line, comments=True)[1:])
    here = [line for line in typed if "build" not in line and "--image" not in line]
    run("\n".join(here).replace("byoc-kit verify", "byoc-kit verify --min-frames 0.1"), cwd=cwd, env=env)  # may be busy


@pytest.fixture
def sepia(tmp_path, short_clip):
    """A folder with the tutorial's ``work/sepia.ipynb`` and a clip."""
    (tmp_path / "work" / "clips").mkdir(parents=True)
    shutil.copy(short_clip, tmp_path / "work/clips/bigbuckbunny.mp4")
    tagged = [("byoc", block('model_id="sepia"')), ("byoc", block("SEPIA ="))]
    shown = ("", block("byoc_kit.preview(process_frame)"))
    (tmp_path / "work" / "sepia.ipynb").write_text(notebook_json(*tagged, shown))
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_goes_the_whole_way(sepia, environment):
    commands = ["byoc-kit check work/sepia.ipynb", "byoc-kit verify export/sepia\n", "byoc-kit build export/sepia"]
    run_those_without_docker("".join(map(block, commands)), cwd=sepia, env=environment)
    assert (sepia / "reports" / "sepia" / "report.html").is_file()


# By model: the parameters, and what becomes of a grey pixel of 100.
DOCS_MODELS = {
    "trails": ({}, [100, 100, 100]),
    "grade": ({"gain": 2, "channel": "red"}, [200, 200, 200]),
    "colour-matrix": ({}, [50, 50, 50]),
    "louder": ({}, [100, 100, 100]),
    "brightness": ({}, [100, 100, 100]),
}


@pytest.mark.parametrize("name", DOCS_MODELS)
def test_a_model_of_the_docs_is_exported_and_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"matrix": 0.5 * torch.eye(3)}, "weights.safetensors")
    Path("effects.ipynb").write_text(notebook_json(("byoc", block(f'model_id="{name}"'))))
    planned = plan_file(Path("effects.ipynb"), Path("export"), with_hashes=False)
    assert not planned.findings
    write(planned)
    processor = load_processor(read_bundle("export"))
    given, wanted = DOCS_MODELS[name]
    params = processor.params_with(given)
    processor.load()
    processor.start_stream(params)
    grey = VideoFrame.from_pixels(np.full((4, 4, 3), 100, np.uint8))
    assert processor.process(grey, params).pixels[0, 0].tolist() == wanted


def test_the_commands_of_the_table_are_commands():
    typed = re.findall(r"^\| `byoc-kit (.*?)` \|", (ROOT / "docs/how-to/ship.md").read_text(), re.MULTILINE)
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
def ending(lines, **options):
    """Run lines of a shell that end by themselves; killed where the body fails."""
    with subprocess.Popen(["bash", "-uc", lines], **options) as process:
        try:
            yield process
        finally:
            process.kill()


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
    play(page, lab, "webcam.ipynb", block(MODEL), block('source="webcam"'))


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


@contextmanager
def streaming(name, *, cwd, env, port):
    """Stream the clip through a bundle as the page on it says; gives the stream's URLs, the container's, what is left.

    That is the lines which change a parameter and stop the stream.
    """
    ports = {"8000": str(port), "8935": str(_other_port(port))}
    recipe = block("byoc-kit serve export/green_tint ").replace("\\\n", "")
    recipe = recipe.replace("green_tint", name).replace("green-tint", name.replace("_", "-"))
    for usual, free in ports.items():
        recipe = recipe.replace(f":{usual}", f":{free}")
    serve, network, start, send, *rest = recipe.splitlines()
    # The models' URLs are in the bundle; what listens elsewhere than usual says so there.
    models = cwd / "export" / name / "aiModels.json"
    models.write_text(models.read_text().replace(":8000", f":{ports['8000']}"))
    container, network_url = (f"http://127.0.0.1:{one}" for one in ports.values())
    with (
        running(f"{serve.partition('#')[0]} --port {ports['8000']}", cwd=cwd, env=env) as log,
        running(f"{network.partition('#')[0]} --port {ports['8935']}", cwd=cwd, env=env),
    ):
        until(lambda: " ready" in log(), "the model is loaded")
        until(lambda: "Start a stream" in log(), "the network is there")
        until(lambda: json.loads(_get(f"{network_url}/models")), "it is advertised")
        urls = json.loads(run(f"{start.replace('curl', 'curl -s')}", cwd=cwd, env=env))
        with running(send.replace("INPUT_URL", urls["input_url"]), cwd=cwd, env=env):
            status = f"{container}/stream/status"
            until(lambda: json.loads(_get(status))["streams"][0].get("frames_encoded", 0) > 25, "frames come out")
            yield urls, container, rest


@pytest.mark.browser
@pytest.mark.ffmpeg
def test_a_video_streams_through_the_local_network(clone, environment, free_port, lab, page):
    with streaming("green_tint", cwd=clone, env=environment, port=free_port) as (urls, container, (change, stop)):
        assert '"success"' in run(change, cwd=clone, env=environment)
        assert json.loads(_get(f"{container}/stream/status"))["streams"][0]["params"]["gain"] == 3
        watch = block("byoc_kit.preview(lambda").replace("OUTPUT_URL", urls["output_url"])
        play(page, lab, "watch.ipynb", f"import byoc_kit\n{watch}")
        assert '"stopped": 1' in run(stop, cwd=clone, env=environment)


def test_the_local_network_runs_inside_a_program(clone, monkeypatch, capsys):
    async def succeed(_):
        return web.json_response({"status": "ok"})

    async def program():
        async with served(web.get("/health", succeed), web.post("/stream/start", succeed)) as container:
            models = clone / "export/green_tint/aiModels.json"
            models.write_text(models.read_text().replace("http://localhost:8000", container))
            source = block('byoc_kit.local_network("export/green_tint")')
            await eval(compile(source, "stream.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {})  # noqa: S307

    monkeypatch.chdir(clone)
    call_on_thread(lambda: asyncio.run(program()), name="program")  # on this one Playwright's loop may be running
    assert "'input_url': 'http://127.0.0.1:" in capsys.readouterr().out


@pytest.mark.ffmpeg
@pytest.mark.slow
def test_what_is_published_is_read(clone, environment, free_port):
    (clone / "brightness.ipynb").write_text(notebook_json(("byoc", block('model_id="brightness"'))))
    run("byoc-kit export brightness.ipynb --no-hashes", cwd=clone, env=environment)
    with streaming("brightness", cwd=clone, env=environment, port=free_port) as (urls, _, (_, stop)):
        read = block("curl -sf DATA_URL/next").replace("DATA_URL", urls["data_url"])
        with (clone / "lines").open("w") as lines, ending(read, cwd=clone, env=environment, stdout=lines) as reader:
            until(lambda: (clone / "lines").read_text().count("\n") > 25, "lines come")
            run(stop, cwd=clone, env=environment)
            reader.wait(DEADLINE_S)
    read = (clone / "lines").read_text().removesuffix("Channel closed").splitlines()
    found = [json.loads(line) for line in read]
    as_shown = [json.loads(line) for line in block('"brightness":0.').splitlines()]
    assert {tuple(one) for one in found} == {tuple(one) for one in as_shown}
    apart_s = {round(after["time_s"] - before["time_s"], 3) for before, after in pairwise(as_shown)}
    assert apart_s == {0.04}  # the clip's frames, as shown


@pytest.mark.slow
def test_a_live_runner_session_is_reserved(clone, environment, free_port):
    container, orchestrator = free_port, _other_port(free_port)
    (clone / "runners.json").write_text(block('"label": "green-tint"').replace("8000", str(container)))
    recipe = block("byoc-kit network runners.json").replace("8935", str(orchestrator))
    network, discovery, reserve, start = recipe.splitlines()
    serve = f"byoc-kit serve export/green_tint --port {container}"
    with ending(serve, cwd=clone, env=environment):
        until(lambda: _is_ok(f"http://127.0.0.1:{container}/health"), "the container is ready")
        with ending(f"{network} --port {orchestrator}", cwd=clone, env=environment):
            url = f"http://127.0.0.1:{orchestrator}"
            until(lambda: _is_ok(f"{url}/discovery"), "the network answers")
            (found,) = json.loads(run(f"{discovery} -s", cwd=clone, env=environment))
            assert [runner["app"] for runner in found["runners"]] == ["live-video-to-video/green-tint"]
            session = json.loads(run(f"{reserve} -s", cwd=clone, env=environment))
            assert json.loads(_get(f"{session['app_url']}/health")) == {"status": "ok"}
            start = start.partition("#")[0].replace("APP_URL", session["app_url"])
            assert {"in", "out"} <= json.loads(run(f"{start} -s", cwd=clone, env=environment)).keys()
            run(f"curl -sf -X POST {session['control_url']}/stop", cwd=clone, env=environment)
            client = block("curl -k -X POST https://ORCHESTRATOR").replace("https://ORCHESTRATOR:8935", url)
            reserve, start = client.splitlines()
            session = json.loads(run(f"{reserve} -s", cwd=clone, env=environment))
            start = start.replace("APP_URL", session["app_url"])
            assert {"in", "out"} <= json.loads(run(f"{start} -s", cwd=clone, env=environment)).keys()


@contextmanager
def network_with_secret(*, cwd, env, port):
    """Run the local network with a secret; gives its URL, and an environment that has the secret."""
    url = f"http://127.0.0.1:{port}"
    with ending(f"byoc-kit network --secret s3cret --port {port}", cwd=cwd, env=env):
        until(lambda: _is_ok(f"{url}/discovery"), "the network answers")
        yield url, {**env, "BYOC_KIT_ORCHESTRATOR_SECRET": "s3cret"}


def until_discovered(url):
    (found,) = until(lambda: [one for one in json.loads(_get(f"{url}/discovery")) if "runners" in one], "it is shown")
    assert [runner["app"] for runner in found["runners"]] == ["live-video-to-video/green-tint"]


@pytest.mark.slow
def test_a_container_registers_itself_as_a_live_runner(clone, environment, free_port):
    with served_as("live-runner", clone, environment, free_port) as network_url:
        until_discovered(network_url)


@pytest.mark.slow
def test_a_container_registers_itself_as_a_capability(clone, environment, free_port):
    status_url = f"http://127.0.0.1:{free_port}/stream/status"
    with served_as("byoc", clone, environment, free_port) as network_url:
        found = until(lambda: _is_ok(status_url) and _registration(status_url), "the container has registered")
    assert (found["as"], found["orchestrator"]) == ("byoc", network_url)


def _registration(status_url):
    found = json.loads(_get(status_url)).get("registration") or {}
    return found if found.get("state") == "registered" else None


@contextmanager
def served_as(way, clone, environment, port):
    """Serve with the settings of README's `docker run`, on this machine; gives the URL of the orchestrator."""
    shown = dict(re.findall(r"-e (\w+)=(\S+)", block(f"-e BYOC_KIT_REGISTER_AS={way}")))
    with network_with_secret(cwd=clone, env=environment, port=_other_port(port)) as (url, env):
        env |= {**shown, "BYOC_KIT_ORCHESTRATOR_URL": url, "BYOC_KIT_RUNNER_URL": f"http://127.0.0.1:{port}"}
        with ending(f"byoc-kit serve export/green_tint --port {port}", cwd=clone, env=env):
            yield url


@pytest.mark.slow
def test_a_container_that_runs_is_registered(clone, environment, free_port):
    register = block("byoc-kit register export/green_tint").replace(
        "http://gpu-1:8000", f"http://127.0.0.1:{free_port}"
    )
    with (
        network_with_secret(cwd=clone, env=environment, port=_other_port(free_port)) as (url, env),
        ending(f"byoc-kit serve export/green_tint --port {free_port}", cwd=clone, env=environment),
        ending(register.replace("https://orchestrator:8935", url), cwd=clone, env=env),
    ):
        until_discovered(url)


def test_assets_that_lie_elsewhere_are_fetched(cache, hub: Hub, server: Server):
    server.files["/path/model.safetensors"] = b"at a URL"
    hub.put(model__safetensors=b"on the hub")
    lines = block("hf://stabilityai/sd-turbo@main").replace("https://host", server.url)
    at_url, on_hub, folder = (
        Path(eval(line, {"byoc_kit": byoc_kit}))  # noqa: S307  # a line of our own documents
        for line in lines.replace("stabilityai/sd-turbo", REPO).splitlines()
    )
    assert at_url.read_bytes() == b"at a URL"
    assert on_hub.read_bytes() == (folder / "model.safetensors").read_bytes() == b"on the hub"


@pytest.mark.slow
def test_a_picture_is_processed(clone, environment, free_port):
    for name in ("picture.jpg", "in.jpg"):
        Image.new("RGB", (64, 48), (80, 80, 80)).save(clone / name, quality=95)
    with ending(f"byoc-kit serve export/green_tint --port {free_port}", cwd=clone, env=environment):
        until(lambda: _is_ok(f"http://127.0.0.1:{free_port}/health"), "the container is ready")
        for part in ("curl -f --data-binary @picture.jpg", "curl -f -F picture=@in.jpg"):
            run(block(part).replace("8000", str(free_port)), cwd=clone, env=environment)
    for name, green in {"processed.jpg": 112, "out.jpg": 112, "out.png": 240}.items():
        with Image.open(clone / name) as processed:
            assert processed.size == (64, 48)
            assert processed.getpixel((32, 24)) == pytest.approx((80, green, 80), abs=3)


def _is_ok(url):
    try:
        return bool(_get(url))
    except OSError:
        return False


def _get(url):
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def _other_port(port):
    return port + 1 if port < 60_000 else port - 1


@pytest.mark.slow
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
        ('{"gain": 1.4}', '{"strength": 0.5}'),
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
    body = json.loads((ROOT / arguments[arguments.index("--json") + 1].removeprefix("@")).read_bytes())
    kinds = {name: type(value) for name, value in body.items()}
    numbers = dict.fromkeys(["capacity", "price_per_unit", "price_scaling"], int)
    assert kinds == dict.fromkeys(["name", "description", "url", "currency"], str) | numbers


def test_the_image_of_a_managed_model_is_given_as_a_flag(clone, environment):
    run("byoc-kit export notebooks/green_tint.ipynb --managed --no-hashes", cwd=clone, env=environment)
    said = run(block("livepeer -orchestrator").replace("livepeer", r"printf '%s\n'"), cwd=clone, env=environment)
    flags, value = said.split("-aiRunnerImageOverrides\n")
    assert flags.splitlines() == ["-orchestrator", "-aiWorker", "-aiModels", "aiModels.json", "-nvidia", "0"]
    assert json.loads(value) == {"live": {"green-tint": "byoc/green-tint:latest"}}


def test_the_test_commands_find_tests(environment):
    for line in block(". .venv/bin/activate\npytest").splitlines()[1:]:
        typed = line.partition("#")[0].rstrip()
        if typed.startswith("make "):
            run(f"make -n {typed.removeprefix('make ')}", cwd=ROOT, env=environment)
            continue
        *settings, command = typed.rpartition("pytest")
        if not command.strip():  # all tests: this one has been collected
            continue
        out = run(f"{settings[0]}pytest --collect-only -q {command} | tail -1", cwd=ROOT, env=environment)
        assert re.search(r"\d+(/\d+)? tests collected", out)
