"""The ship panel in a real JupyterLab, driven by a real browser.

An export asks pip for the hashes of what it locks, some 20 s where nothing of it is kept from an earlier one; the
deadlines here leave room for that on a busy machine.
"""

import os
import select
import shutil
from pathlib import Path

import nbformat
import pytest
from lab_rig import choose, open_notebook, screenshot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium: apt-get install chromium"),
]

DEADLINE_MS = 180_000
FILLERS = 15


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(DEADLINE_MS)
    yield page
    screenshot(page, "ship_last")
    context.close()


def write_notebook(lab, name):
    """Write the example with a tagged cell that cannot be exported at its top and the panel far below it."""
    notebook = nbformat.read(lab.folder / "green_tint.ipynb", as_version=4)
    tagged = {"tags": ["byoc"]}
    broken = nbformat.v4.new_code_cell("SCALE = 2\nTWICE = SCALE * GAIN", metadata=tagged, id="broken")
    model = [cell for cell in notebook.cells if "byoc" in cell.metadata.get("tags", ())]
    fillers = [nbformat.v4.new_code_cell(f"# {i}" + "\n" * 30, id=f"filler-{i}") for i in range(FILLERS)]
    panel = nbformat.v4.new_code_cell("import byoc_kit\n\nbyoc_kit.ship()", id="panel")
    notebook.cells = [broken, *model, *fillers, panel]
    nbformat.write(notebook, lab.folder / name)


def run_panel(page):
    """Run the last cell, which shows the panel, without running the others."""
    last = page.locator(".jp-Cell").last
    last.scroll_into_view_if_needed()
    last.locator(".cm-content").click()
    choose(page, "Run", "Run Selected Cell and Do not Advance")
    page.locator(".byoc-ship-cells").scroll_into_view_if_needed()


def button(page, name):
    return page.locator(".byoc-ship").get_by_role("button", name=name, exact=True)


def servers(lab):
    """Return the process ids of what serves the notebook's bundle."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            is_ours = b"byoc_kit" in command and os.readlink(process / "cwd") == str(lab.folder)
        except OSError:
            continue  # it ended meanwhile
        if is_ours and b"serve" in command:
            found.append(int(process.name))
    return found


def wait_until_ended(descriptor):
    assert select.select([descriptor], [], [], DEADLINE_MS / 1000)[0], "the server still runs"
    os.close(descriptor)


def test_a_notebook_is_mended_exported_and_served_from_its_panel(lab, page):
    write_notebook(lab, "tint.ipynb")
    open_notebook(page, lab, "tint.ipynb")
    run_panel(page)
    page.get_by_text("fix the error first").wait_for()
    assert button(page, "Export").is_disabled()
    screenshot(page, "ship_finding")

    # The finding leads to its cell, far above.
    broken = page.locator(".jp-Cell").first
    page.get_by_role("link", name="cell 1, line 2").click()
    page.wait_for_function(
        "cell => { const { top, bottom } = cell.getBoundingClientRect(); return top > 0 && bottom < innerHeight; }",
        arg=broken.element_handle(),
    )

    # What is mended there is seen as soon as it is saved.
    broken.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("SCALE = 2")
    page.keyboard.press("Control+s")
    page.get_by_text("tint.ipynb: no problems found").wait_for(state="attached")

    button(page, "Export").scroll_into_view_if_needed()
    button(page, "Export").click()
    page.get_by_text("holds what is listed above").wait_for()
    assert (lab.folder / "export" / "tint" / "processor.py").is_file()

    button(page, "Serve").click()
    ready = page.get_by_role("status").filter(has_text="ready at").filter(has_not_text="not ready")
    ready.wait_for()
    assert ready.get_by_role("link").get_attribute("href").endswith("/health")
    [server] = servers(lab)
    button(page, "Check").click()
    page.get_by_role("status").filter(has_text="byoc-kit check tint.ipynb done").wait_for()
    page.locator(".byoc-ship summary").click()
    page.locator(".byoc-ship-command").last.scroll_into_view_if_needed()
    screenshot(page, "ship_light")
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    screenshot(page, "ship_dark")

    # Running the cell again ends the server of its earlier panel.
    descriptor = os.pidfd_open(server)
    run_panel(page)
    wait_until_ended(descriptor)
    button(page, "Serve").click()
    ready.wait_for()

    # The report opens inside JupyterLab.
    report = lab.folder / "reports" / "tint" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("<p>all met</p>")
    page.get_by_role("link", name="reports/tint/report.html").click()
    page.get_by_role("tab", name="report.html").wait_for()

    # The end of the kernel ends the server too.
    [server] = servers(lab)
    descriptor = os.pidfd_open(server)
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    wait_until_ended(descriptor)
    assert servers(lab) == []
