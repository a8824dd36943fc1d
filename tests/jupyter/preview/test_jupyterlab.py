"""The preview in a real JupyterLab, driven by a real browser."""

import base64
import re
import shutil
from io import BytesIO

import lab_rig
import nbformat
import numpy as np
import pytest
from lab_rig import READ_CANVAS, choose, open_notebook, wait_until_idle
from PIL import Image

from byoc_kit.sources.synthetic import read_number

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium: apt-get install chromium"),
]

INVERT = "def process_frame(frame: VideoFrame):\n    return 255 - frame.pixels"


@pytest.fixture
def page(lab, page):
    yield page
    screenshot(page, "last")
    page.goto("about:blank")
    for session in lab.api("sessions"):  # else its preview plays on beside the next test's
        lab.api(f"sessions/{session['id']}", "DELETE")


def screenshot(page, name):
    lab_rig.screenshot(page, f"preview_{name}")


def run_all(page):
    choose(page, "Run", "Run All Cells")
    page.wait_for_selector(".byoc-preview-number")
    page.locator(".byoc-preview").scroll_into_view_if_needed()


def pixels(page, name):
    return page.evaluate(READ_CANVAS, name)


def wait_until_moves(page, name):
    page.wait_for_function(f"before => ({READ_CANVAS})('{name}').sum !== before", arg=pixels(page, name)["sum"])


def wait_until_still(page):
    """Wait until ten looks in a row see the same two pictures."""
    look = f"['input', 'output'].map({READ_CANVAS}).map(canvas => canvas.sum).join()"
    page.evaluate("window.looks = []")
    page.wait_for_function(f"window.looks.push({look}) && new Set(window.looks.slice(-10)).size === 1 && looks[9]")


def move_slider(page, key):
    page.get_by_role("slider", name="gain").focus()
    page.keyboard.press(key)


def wait_for_gain(page, claim):
    """Wait until the output is so much greener than the input of the same frame."""
    ratio = f"(({READ_CANVAS})('output').means[1]) / (({READ_CANVAS})('input').means[1])"
    page.wait_for_function(f"{ratio} {claim}")


def assert_inverted(page):
    """Look at both pictures at once: a moment later they are of another frame."""
    before, after = page.evaluate(f"['input', 'output'].map({READ_CANVAS}).map(canvas => canvas.means)")
    assert np.allclose(np.add(before, after), 255, atol=4)


def shown(page, name):
    """Return what a canvas shows, as pixels."""
    url = page.evaluate(f"document.querySelector('.byoc-preview-{name}').toDataURL('image/png')")
    return np.asarray(Image.open(BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))


def wait_for_frame(page, number):
    """Wait until both canvases show the frame whose number stands in its pixels."""
    page.wait_for_function(f"document.querySelector('.byoc-preview-where').textContent.startsWith('{number} /')")
    assert read_number(shown(page, "input")) == number
    assert read_number(255 - shown(page, "output")) == number


def wait_for_text(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
    )


def edit_cell(page, number, source):
    """Write a cell anew and run it."""
    page.locator(".jp-Cell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")


def write_notebook(lab, name, *cells, model=None):
    """Put the cells after those of the example notebook that define its model, or after another model."""
    notebook = nbformat.read(lab.folder / "green_tint.ipynb", as_version=4)
    tagged = [cell for cell in notebook.cells if "byoc" in cell.metadata.get("tags", ())]
    start = tagged if model is None else [tagged[0], nbformat.v4.new_code_cell(model)]
    notebook.cells = [*start, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(notebook, lab.folder / name)


def play(page, lab, name, *cells, model=None):
    """Write a notebook, open it and run it until its preview plays."""
    write_notebook(lab, name, *(cells or ["byoc_kit.preview(process_frame)"]), model=model)
    open_notebook(page, lab, name)
    run_all(page)
    wait_until_moves(page, "output")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def test_both_pictures_play_and_the_controls_act_on_them(lab, page):
    open_notebook(page, lab, "green_tint.ipynb")
    run_all(page)
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")
    wait_for_gain(page, "> 1.1")
    screenshot(page, "light")

    move_slider(page, "Home")
    wait_for_gain(page, "< 0.05")
    wait_for_text(page, ".byoc-preview-params pre", '"gain": 0.0')

    button(page, "Pause").click()
    button(page, "Play").wait_for()
    wait_until_still(page)
    held = pixels(page, "input")["sum"]
    move_slider(page, "End")
    wait_for_gain(page, "> 1.1")
    assert pixels(page, "input")["sum"] == held
    screenshot(page, "paused")

    page.locator(".byoc-preview").focus()
    page.keyboard.press("Space")
    button(page, "Pause").wait_for()
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")

    choose(page, "Settings", "Theme", "JupyterLab Dark")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    screenshot(page, "dark")
    choose(page, "Settings", "Theme", "JupyterLab Light")


@pytest.mark.parametrize(("name", "control"), [("motion_trails", "dim"), ("neural_comic", "ink")])
def test_the_other_examples_play_and_obey(lab, page, name, control):
    open_notebook(page, lab, f"{name}.ipynb")
    run_all(page)
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")
    button(page, "Pause").click()
    wait_until_still(page)
    held = pixels(page, "input")["sum"]
    page.get_by_role("slider", name=control).focus()
    before = pixels(page, "output")["sum"]
    page.keyboard.press("Home")
    page.wait_for_function(f"before => ({READ_CANVAS})('output').sum !== before", arg=before)
    assert pixels(page, "input")["sum"] == held
    screenshot(page, name)


def test_it_plays_and_obeys_while_another_cell_runs(lab, page):
    wait = "import pathlib, time\nwhile not pathlib.Path('go-on').exists():\n    time.sleep(0.05)"
    play(page, lab, "busy.ipynb", "byoc_kit.preview(process_frame)", wait)
    move_slider(page, "Home")
    wait_for_gain(page, "< 0.05")
    wait_until_moves(page, "input")
    assert page.locator(".jp-InputPrompt").last.inner_text() == "[*]:"
    (lab.folder / "go-on").touch()
    wait_until_idle(page)


def test_a_broken_function_is_reported_on_the_picture_and_a_mended_one_goes_on(lab, page):
    play(page, lab, "edit.ipynb")
    broken = "def process_frame(frame: VideoFrame, params: Params):\n    return frame.pixels * missing"
    edit_cell(page, 2, broken)
    wait_for_text(page, ".byoc-preview-error", "NameError: name 'missing' is not defined")
    said = page.get_by_role("alert").inner_text()
    assert said.startswith("process_frame failed at Cell In[5], line 2: NameError")
    assert "times" not in said
    said = page.locator(".byoc-preview-error").inner_text()
    assert "Cell In[5], line 2, in process_frame\n    return frame.pixels * missing" in said
    wait_for_text(page, ".byoc-preview-error", "paused")
    wait_until_still(page)
    page.locator(".byoc-preview").scroll_into_view_if_needed()
    screenshot(page, "error")

    edit_cell(page, 2, "def process_frame(frame: VideoFrame, params: Params):\n    return 255 - frame.pixels")
    page.wait_for_function("document.querySelector('.byoc-preview-error').hidden")
    wait_until_moves(page, "output")
    assert_inverted(page)

    button(page, "Revert").click()
    wait_for_gain(page, "> 1.1")
    wait_until_moves(page, "output")


def test_it_is_held_stepped_and_scrubbed_to_exact_frames(lab, page):
    play(page, lab, "step.ipynb", 'byoc_kit.preview(process_frame, "synthetic:ramp")', model=INVERT)
    button(page, "Pause").click()
    wait_until_still(page)
    page.get_by_role("slider", name="Frame").fill("100")
    wait_for_frame(page, 100)
    button(page, "Step forward").click()
    wait_for_frame(page, 101)
    button(page, "Step back").click()
    wait_for_frame(page, 100)
    page.locator(".byoc-preview").focus()
    for key, number in (("ArrowRight", 101), ("Shift+ArrowRight", 111), ("ArrowLeft", 110), ("ArrowLeft", 109)):
        page.keyboard.press(key)
        wait_for_frame(page, number)
    page.get_by_role("slider", name="Frame").fill("299")
    wait_for_frame(page, 299)
    page.get_by_label("Loop").uncheck()
    button(page, "Play").click()
    page.wait_for_function("!document.querySelector('.byoc-preview-where').textContent.startsWith('299 /')")
    button(page, "Play").wait_for()
    wait_for_frame(page, 299)


def test_another_source_comes_without_a_black_picture_between(lab, page):
    play(page, lab, "switch.ipynb", model=INVERT)
    page.evaluate(
        f"""() => {{
          window.darkest = 255;
          const look = () => {{
            for (const name of ['input', 'output'])
              window.darkest = Math.min(window.darkest, Math.max(...({READ_CANVAS})(name).means));
            requestAnimationFrame(look);
          }};
          look();
        }}"""
    )
    page.get_by_label("Source", exact=True).fill("synthetic:ball")
    page.keyboard.press("Enter")
    wait_for_text(page, ".byoc-preview-where", "/ 299")
    wait_until_moves(page, "input")
    assert page.evaluate("window.darkest") > 30
    page.get_by_label("Source", exact=True).fill("nowhere.mp4")
    page.keyboard.press("Enter")
    wait_for_text(page, ".byoc-preview-notice", "nowhere.mp4")
    wait_until_moves(page, "input")
    screenshot(page, "no_such_source")


def test_the_browsers_camera_is_a_source_and_a_refusal_is_reported(lab, page):
    play(page, lab, "camera.ipynb", model=INVERT)
    page.get_by_label("Source", exact=True).fill("webcam")
    page.keyboard.press("Enter")
    wait_for_text(page, ".byoc-preview-where", "live")
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")
    assert_inverted(page)
    screenshot(page, "camera")
    page.get_by_label("Source", exact=True).fill("synthetic:bars")
    page.keyboard.press("Enter")
    wait_for_text(page, ".byoc-preview-where", "/ 299")
    for name, said in (
        ("NotAllowedError", "was not allowed to use the camera"),
        ("NotFoundError", "has no camera"),
        ("NotReadableError", "another program uses the camera"),
        ("SecurityError", "only to pages from https or localhost"),
    ):
        page.evaluate(
            "name => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name) } }", name
        )
        page.get_by_label("Source", exact=True).fill("webcam")
        page.keyboard.press("Enter")
        wait_for_text(page, ".byoc-preview-notice", said)
        wait_until_moves(page, "input")


def test_the_ways_to_compare_show_the_same_frame(lab, page):
    play(page, lab, "compare.ipynb", 'byoc_kit.preview(process_frame, "synthetic:bars")', model=INVERT)
    button(page, "Pause").click()
    wait_until_still(page)
    page.get_by_label("Compare", exact=True).select_option("difference")
    page.locator(".byoc-preview-difference").wait_for()
    before, after = shown(page, "input").astype(int), shown(page, "output").astype(int)
    wanted = np.minimum(255, 4 * np.abs(before - after))
    assert np.abs(shown(page, "difference") - wanted).mean() < 3
    assert not page.locator(".byoc-preview-input").is_visible()
    screenshot(page, "difference")
    page.get_by_label("Compare", exact=True).select_option("swipe")
    swipe = page.get_by_role("slider", name="How much of the left picture shows")
    swipe.fill("30")
    clip = "getComputedStyle(document.querySelector('.byoc-preview-figure-output .byoc-preview-lens')).clipPath"
    assert page.evaluate(clip) == "inset(0px 0px 0px 30%)"
    assert page.locator(".byoc-preview-input").is_visible()
    screenshot(page, "swipe")
    page.get_by_label("Compare", exact=True).select_option("flicker")
    seen = "getComputedStyle(document.querySelector('.byoc-preview-figure-output')).visibility"
    page.wait_for_function(f"{seen} === 'hidden'")
    page.wait_for_function(f"{seen} === 'visible'")


def test_two_functions_are_compared_and_each_cell_that_runs_again_counts(lab, page):
    level = "def level(frame):\n    return frame.pixels * 0 + {}"
    play(page, lab, "two.ipynb", level.format(60), "byoc_kit.preview(process_frame, compare=level)", model=INVERT)
    page.wait_for_function(f"Math.abs(({READ_CANVAS})('input').means[0] - 60) < 3")
    edit_cell(page, 2, level.format(160))
    page.wait_for_function(f"Math.abs(({READ_CANVAS})('input').means[0] - 160) < 3")
    edit_cell(page, 1, INVERT.replace("255 - frame.pixels", "frame.pixels * 0 + 30"))
    page.wait_for_function(f"Math.abs(({READ_CANVAS})('output').means[0] - 30) < 3")


def test_what_is_on_screen_is_recorded_and_kept(lab, page):
    play(page, lab, "keep.ipynb", model=INVERT)
    page.get_by_label("Speed", exact=True).select_option("0.5x")
    button(page, "Record").click()
    button(page, "Stop recording").wait_for()
    wait_until_moves(page, "output")
    button(page, "Stop recording").click()
    wait_for_text(page, ".byoc-preview-notice", "Recorded recordings/process_frame-input.mp4")
    assert (lab.folder / "recordings" / "process_frame-output.mp4").stat().st_size > 1000
    button(page, "Save as golden").click()
    wait_for_text(page, ".byoc-preview-notice", "golden/keep has 1 frame now")
    assert (lab.folder / "golden" / "keep" / "golden.json").exists()
    page.get_by_text("Parameters as curl").click()
    button(page, "Copy as curl").click()
    page.locator("button", has_text=re.compile("Copied|Selected")).wait_for()
    screenshot(page, "kept")


def test_a_preview_that_nobody_sees_comes_to_rest_and_wakes(lab, page):
    shown = (
        "from byoc_kit.jupyter.preview import flow_control\nflow_control.GONE_AFTER_S = 2\n"
        "p = byoc_kit.preview(process_frame)\np"
    )
    asleep = "import time\nwhile p._player.is_playing:\n    time.sleep(0.05)\nprint('at rest')"
    play(page, lab, "unseen.ipynb", shown, model=INVERT)
    page.locator(".jp-Cell").nth(2).locator(".cm-content").click()
    choose(page, "Edit", "Clear Cell Output")
    page.wait_for_selector(".byoc-preview", state="detached")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(asleep)
    page.keyboard.press("Shift+Enter")
    page.get_by_text("at rest", exact=True).wait_for()
    edit_cell(page, 3, "p")
    page.wait_for_selector(".byoc-preview-number")
    wait_until_moves(page, "output")


def test_a_restart_of_the_kernel_is_reported_and_the_controls_take_no_more_orders(lab, page):
    play(page, lab, "restart.ipynb", "byoc_kit.preview(process_frame)", "byoc_kit.ship()")
    page.wait_for_selector(".byoc-ship")
    choose(page, "Kernel", "Restart Kernel…")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.wait_for_selector(".jupyter-widgets-disconnected .byoc-preview")
    page.wait_for_selector(".byoc-ship.jupyter-widgets-disconnected")
    for panel in (".byoc-preview", ".byoc-ship"):
        said = f"getComputedStyle(document.querySelector('{panel}'), '::before')"
        assert page.evaluate(f"{said}.content") == '"The kernel was restarted: run the notebook\'s cells again."'
        assert page.evaluate(f"{said}.display") != "none"
    chains = """[...document.querySelectorAll('.jupyter-widgets-disconnected:not(.byoc-ship)')]
        .map(widget => getComputedStyle(widget, '::before')).filter(chain => chain.display !== 'none'
          && chain.content !== 'none' && !chain.content.includes('restarted')).length"""
    page.wait_for_function(f"{chains} === 0")
    page.wait_for_function("document.querySelector('.byoc-preview-play').closest('[inert]') !== null")
    screenshot(page, "restarted")
    run_all(page)
    wait_until_moves(page, "output")


def test_what_is_wrong_and_what_plays_is_seen_at_a_glance(lab, page):
    publish = "byoc_kit.publish({'mean': float(frame.pixels.mean())})"
    model = f"def process_frame(frame):\n    {publish}\n    return 255 - frame.pixels"
    play(page, lab, "glance.ipynb", "byoc_kit.preview(process_frame)", model=model)
    page.wait_for_selector(".byoc-preview-published:not([hidden])")
    wait_for_text(page, ".byoc-preview-published", '{"mean":')
    edit_cell(page, 1, "def process_frame(frame):\n    return frame.pixels[:, ::2]")
    wait_for_text(page, ".byoc-preview-figure-output figcaption", "Output 640x720")
    button(page, "Revert").click()
    wait_for_text(page, ".byoc-preview-version", "plays In[2]; the cell has In[4]")
    screenshot(page, "reverted")
    button(page, "Redo").click()
    wait_for_text(page, ".byoc-preview-figure-output figcaption", "Output 640x720")
    edit_cell(page, 1, "def process_frame(frame):\n    frame.tensor[..., 1] *= 2")
    wait_for_text(page, ".byoc-preview-budget", "no picture goes out")
    wait_for_text(page, ".byoc-preview-notice", "is a `return` missing?")
    page.wait_for_selector(".byoc-preview-budget.byoc-preview-over")
    screenshot(page, "withheld")


def test_running_the_cell_again_leaves_one_preview(lab, page):
    # What saves has a thread once there is something to save: when that is, is not told here.
    count = (
        "import threading\n"
        "names = sorted(t.name for t in threading.enumerate() if t.name.startswith('preview-'))\n"
        "print([name for name in names if 'saver' not in name], len(names) - len(set(names)), "
        "len(get_ipython().kernel.comm_manager.comms))"
    )
    play(page, lab, "again.ipynb", "byoc_kit.preview(process_frame)", count)
    first = page.locator(".jp-Cell").last.locator(".jp-OutputArea-output").inner_text()
    run_all(page)
    wait_until_moves(page, "output")
    wait_until_idle(page)
    assert page.locator(".byoc-preview").count() == 1
    assert page.locator(".jp-Cell").last.locator(".jp-OutputArea-output").inner_text() == first
    assert first.startswith("['preview-sender', 'preview-source', 'preview-stage'] 0 ")


def test_a_page_that_was_closed_finds_its_preview_playing(lab, page):
    play(page, lab, "back.ipynb")
    choose(page, "File", "Save Notebook")
    page.wait_for_function("!document.querySelector('.jp-mod-current.jp-mod-dirty')")
    page.goto("about:blank")
    open_notebook(page, lab, "back.ipynb")
    page.wait_for_selector(".byoc-preview-number")
    wait_until_moves(page, "input")
    wait_until_moves(page, "output")
    move_slider(page, "Home")
    wait_for_gain(page, "< 0.05")


def test_a_first_picture_that_comes_late_becomes_the_poster(lab, page):
    slow = (
        "import time\nfrom byoc_kit.jupyter.preview import live_preview\nlive_preview.POSTER_PATIENCE_S = 0\n"
        "def process_frame(frame):\n    time.sleep(1)\n    return 255 - frame.pixels"
    )
    play(page, lab, "late.ipynb", model=slow)
    page.locator("img.byoc-poster").wait_for(state="attached")
    assert page.locator(".byoc-poster").count() == 1


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


def test_what_is_printed_for_each_frame_stands_in_the_preview_and_its_last_lines_stay(lab, page):
    body = "global count\n    count += 1\n    print('frame', count)\n    return frame"
    model = f"count = 0\ndef process_frame(frame):\n    {body}"
    play(page, lab, "prints.ipynb", model=f"import byoc_kit\n{model}")
    wait_for_text(page, ".byoc-preview-printed summary", "the last 50 of them")
    printed = page.locator(".byoc-preview-printed pre")
    lines = printed.inner_text().splitlines()
    assert len(lines) == 50
    numbers = [int(line.removeprefix("frame ")) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 50))
    height = printed.bounding_box()["height"]
    edit_cell(page, 1, model)  # its output got them, before
    wait_for_text(page, ".byoc-preview-printed pre", "frame 120\n")
    assert printed.bounding_box()["height"] == height < 200
    assert page.locator(".jp-OutputArea-output", has_text=re.compile(r"^frame \d")).count() == 0
    screenshot(page, "printed")
