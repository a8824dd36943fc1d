"""The preview in a real JupyterLab, driven by a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import nbformat
import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
TOKEN = "preview-test"  # noqa: S105  # of a server that lives as long as the test
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 60_000

# The mean red, green and blue of a canvas, and a sum that changes with any pixel.
READ_CANVAS = """name => {
  const canvas = document.querySelector('.byoc-preview-' + name);
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const means = [0, 0, 0];
  let sum = 0;
  for (let i = 0; i < data.length; i += 4)
    for (let c = 0; c < 3; c++) { means[c] += data[i + c]; sum = (sum * 31 + data[i + c]) % 1000000007; }
  return { means: means.map(mean => mean / (data.length / 4)), sum };
}"""


class Lab:
    """A JupyterLab on a temporary copy of ``notebooks/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "notebooks"
        shutil.copytree(ROOT / "notebooks", self.folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        places = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        env = {**os.environ, **places, "HOME": str(folder), "IPYTHONDIR": str(folder / "ipython")}
        command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--port=0"]
        command += [f"--IdentityProvider.token={TOKEN}"]
        settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.url = ""
        self.log: list[str] = []
        self._is_up = threading.Event()
        self._reader = threading.Thread(target=self._read, name="lab-log")
        self._reader.start()
        if not self._is_up.wait(DEADLINE_MS / 1000):
            self.close()
            pytest.fail("JupyterLab did not start:\n" + "".join(self.log[-20:]))

    def _read(self) -> None:
        for line in self.process.stdout:
            self.log.append(line)
            if "http://127.0.0.1:" in line and not self.url:
                self.url = "http://127.0.0.1:" + line.split("http://127.0.0.1:")[1].split("/")[0]
                self._is_up.set()
        self._is_up.set()

    def api(self, path: str, method: str = "GET"):
        request = urllib.request.Request(f"{self.url}/api/{path}?token={TOKEN}", method=method)
        with urllib.request.urlopen(request) as response:
            return json.loads(response.read() or "null")

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(lab, browser):
    context = browser.new_context(viewport={"width": 1500, "height": 1300})
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MS)
    yield page
    screenshot(page, "last")
    context.close()


def open_notebook(page, lab, name):
    page.goto(f"{lab.url}/lab/workspaces/auto-{Path(name).stem}/tree/{name}?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_until_idle(page)  # before the kernel is there, Run All Cells would ask for one


def wait_until_idle(page):
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def choose(page, menu, *items):
    page.get_by_role("menuitem", name=menu, exact=True).first.click()
    for item in items:
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$")).click()


def run_all(page):
    choose(page, "Run", "Run All Cells")
    page.wait_for_selector(".byoc-preview-number")
    page.locator(".jp-Cell").last.scroll_into_view_if_needed()


def pixels(page, name):
    return page.evaluate(READ_CANVAS, name)


def wait_until_moves(page, name):
    page.wait_for_function(f"before => ({READ_CANVAS})('{name}').sum !== before", arg=pixels(page, name)["sum"])


def wait_until_still(page):
    """Wait until ten looks in a row see the same two pictures."""
    look = f"['input', 'output'].map({READ_CANVAS}).map(canvas => canvas.sum).join()"
    page.evaluate("window.looks = []")
    page.wait_for_function(f"window.looks.push({look}) && new Set(window.looks.slice(-10)).size === 1 && looks[9]")


def green_gain(page):
    """Return how much greener the output is than the input, over the same frame's mean."""
    return page.evaluate(f"(({READ_CANVAS})('output').means[1]) / (({READ_CANVAS})('input').means[1])")


def move_slider(page, key, times):
    page.get_by_role("slider", name="gain").focus()
    for _ in range(times):
        page.keyboard.press(key)


def wait_for_gain(page, claim):
    ratio = f"(({READ_CANVAS})('output').means[1]) / (({READ_CANVAS})('input').means[1])"
    page.wait_for_function(f"{ratio} {claim}")


def screenshot(page, name):
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"preview_{name}.png")


def write_notebook(lab, name, *cells):
    """Put the cells after those of the example notebook that define its model."""
    notebook = nbformat.read(lab.folder / "green_tint.ipynb", as_version=4)
    model = [cell for cell in notebook.cells if "byoc" in cell.metadata.get("tags", ())]
    notebook.cells = [*model, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(notebook, lab.folder / name)


def test_both_pictures_play_and_the_controls_act_on_them(lab, page):
    open_notebook(page, lab, "green_tint.ipynb")
    run_all(page)
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")
    wait_for_gain(page, "> 1.1")
    screenshot(page, "light")

    move_slider(page, "Home", 1)
    wait_for_gain(page, "< 0.05")

    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("button:has-text('Play')")
    wait_until_still(page)
    held = pixels(page, "input")["sum"]

    move_slider(page, "End", 1)
    wait_for_gain(page, "> 1.1")
    assert pixels(page, "input")["sum"] == held
    screenshot(page, "paused")

    page.get_by_role("button", name="Play").click()
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")

    choose(page, "Settings", "Theme", "JupyterLab Dark")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    screenshot(page, "dark")


def test_it_plays_and_obeys_while_another_cell_runs(lab, page):
    write_notebook(
        lab,
        "busy.ipynb",
        "byoc_kit.preview(process_frame)",
        "import pathlib, time\nwhile not pathlib.Path('go-on').exists():\n    time.sleep(0.05)",
    )
    open_notebook(page, lab, "busy.ipynb")
    run_all(page)
    move_slider(page, "Home", 1)
    wait_for_gain(page, "< 0.05")
    wait_until_moves(page, "input")
    assert page.locator(".jp-InputPrompt").last.inner_text() == "[*]:"
    (lab.folder / "go-on").touch()
    wait_until_idle(page)


def test_an_exception_is_said_where_the_pictures_are(lab, page):
    write_notebook(
        lab,
        "error.ipynb",
        "def process_frame(frame: VideoFrame, params: Params):\n    raise ValueError('not ready')",
        "byoc_kit.preview(process_frame)",
    )
    open_notebook(page, lab, "error.ipynb")
    run_all(page)
    said = page.get_by_role("alert")
    page.wait_for_function("document.querySelector('.byoc-preview-error').textContent !== ''")
    assert said.inner_text().startswith("process_frame failed at Cell In[4], line 2: ValueError: not ready")
    wait_until_moves(page, "output")
    screenshot(page, "error")


def test_a_notebook_opened_without_its_kernel_shows_the_poster(lab, page):
    write_notebook(lab, "poster.ipynb", "byoc_kit.preview(process_frame)")
    open_notebook(page, lab, "poster.ipynb")
    run_all(page)
    poster = page.locator(".byoc-poster")
    poster.wait_for(state="attached")
    assert not poster.is_visible()
    choose(page, "File", "Save Notebook")
    page.wait_for_function("!document.querySelector('.jp-mod-current.jp-mod-dirty')")
    wait_until_idle(page)
    page.goto("about:blank")
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    open_notebook(page, lab, "poster.ipynb")
    lost = page.get_by_text("model not found")
    lost.wait_for(state="attached")
    assert not lost.is_visible()
    assert poster.is_visible()
    screenshot(page, "reopened")
