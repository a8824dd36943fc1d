"""A real JupyterLab and a real browser, for the tests that need one of them or both."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARTIFACTS = ROOT / "artifacts"
TOKEN = "lab-test"  # noqa: S105  # of a server that lives as long as the test
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
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
        # The hashes that pip was asked for before: without them the first export takes some 20 s.
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        own = {"HOME": str(folder), "IPYTHONDIR": str(folder / "ipython"), "XDG_CACHE_HOME": cache}
        env = {**os.environ, **places, **own}
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
def page(browser):
    """A page of a browser that knows nothing of the tests before."""
    context = browser.new_context(viewport={"width": 1500, "height": 1300})
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MS)
    yield page
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


def screenshot(page, name):
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
