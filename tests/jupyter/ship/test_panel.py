import json
import re
import socket
import threading
import urllib.request
from html import unescape

import ipywidgets
import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.image.engine import ImageError
from byoc_kit.jupyter.ship import controller, page
from byoc_kit.jupyter.ship.controller import Action
from byoc_kit.jupyter.ship.panel import Panel

pytestmark = pytest.mark.slow

DEADLINE_S = 90
SOUND = [("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]


class Watched(Panel):
    """A panel that tests can wait for; ``shown`` is all its text as a reader sees it."""

    def __init__(self, overview):
        self._changed = threading.Condition()
        super().__init__(overview)
        self.start()

    def _show_jobs(self):
        super()._show_jobs()
        with self._changed:
            self._changed.notify_all()

    def until(self, claim):
        with self._changed:
            assert self._changed.wait_for(lambda: claim(self), DEADLINE_S), self.shown

    def until_shown(self, words):
        self.until(lambda panel: words in panel.shown)

    def click(self, action):
        self.buttons[action].click()

    @property
    def shown(self):
        html = " ".join(_html(self.view))
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html)))

    @property
    def enabled(self):
        return [action.value for action, button in self.buttons.items() if not button.disabled]


def _html(widget):
    if widget.layout.display == "none":
        return
    if isinstance(widget, ipywidgets.Output):
        yield from (output["data"]["text/html"] for output in widget.outputs)
    elif isinstance(widget, ipywidgets.HTML):
        yield widget.value
    for inner in getattr(widget, "children", ()):
        yield from _html(inner)


@pytest.fixture
def make_panel(overview_of):
    """Make panels of notebooks made of (kind, source) pairs; they end with the test."""
    made = []

    def make(*cells, with_bundle=False, **options):
        overview = overview_of(*cells, **options)
        if with_bundle:
            target = overview.target
            write(plan_file(target.notebook, target.folder / target.bundle, with_hashes=False))
        made.append(Watched(overview))
        return made[-1]

    yield make
    for panel in made:
        panel.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ship-")]


def port_of(panel):
    return int(re.search(r"--port (\d+)", panel.shown)[1])


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_no_button_can_be_pressed_before_it_is_known_what_can_be_done(overview_of):
    panel = Panel(overview_of(*SOUND))
    assert [button.disabled for button in (*panel.buttons.values(), panel.cancel_button)] == [True] * 7
    panel.view.close()


def test_it_shows_the_cells_and_what_there_is_to_do(make_panel):
    panel = make_panel(("markdown", "# Tint"), *SOUND, ("", "x = 1"))
    panel.until_shown("it can be exported")
    panel.until_shown("Tint2 code cells of effects.ipynb go into the container as tint, 1 stays.")
    panel.until_shown("export/effects is not there yet.")
    panel.until(lambda panel: panel.enabled == ["check", "export"])
    panel.until_shown("Build, Serve, Verify: export first.")


def test_errors_keep_the_buttons_back_but_check_says_them(make_panel):
    panel = make_panel(*SOUND, ("byoc", "x = GAIN\ny = GAIN"), with_bundle=False)
    panel.until_shown("Export, Build, Serve, Verify: fix the error first.")
    panel.until(lambda panel: panel.enabled == ["check"])
    panel.click(Action.EXPORT)
    panel.click(Action.CHECK)
    panel.until_shown("byoc-kit check effects.ipynb failed (exit code 1): effects.ipynb: 1 error")
    assert "error[undefined-name]: nothing defines GAIN" in panel.shown
    assert not (panel._controller.overview.target.folder / "export").exists()


def test_missing_tags_are_set_by_a_button_that_is_there_while_some_are_missing(make_panel):
    panel = make_panel(*SOUND, ("", "GAIN = 2"), ("byoc", "x = GAIN"))
    panel.until(lambda panel: panel.enabled == ["check", "fix tags"])
    assert panel.buttons[Action.FIX].layout.display is None
    panel.click(Action.FIX)
    panel.until_shown("byoc-kit check --fix effects.ipynb done")
    panel.until(lambda panel: panel.enabled == ["check", "export"])
    assert panel.buttons[Action.FIX].layout.display == "none"
    assert "no cell needs a tag" not in panel.shown


def test_what_is_chosen_is_what_the_commands_run_with(make_panel):
    panel = make_panel(*SOUND)
    panel.wheelhouse.value = True
    panel.base_image.value = " python:3.11-slim "
    panel.until_shown("byoc-kit export effects.ipynb --wheelhouse")
    panel.until_shown("byoc-kit build export/effects --base-image=python:3.11-slim")
    assert "byoc-kit check effects.ipynb" in panel.shown


def test_what_is_saved_is_seen_by_itself(make_panel, write_notebook):
    panel = make_panel(*SOUND)
    panel.until_shown("no problems found")
    write_notebook(cells=[*SOUND, ("byoc", "x = GAIN")])
    panel.until_shown("nothing defines GAIN")
    panel.until(lambda panel: panel.enabled == ["check"])


def test_a_damaged_notebook_is_reported_and_seen_again_when_mended(make_panel, write_notebook):
    panel = make_panel(*SOUND)
    path = write_notebook(cells=SOUND)
    path.write_text("{")
    panel.until_shown("effects.ipynb is not valid JSON")
    panel.until(lambda panel: panel.enabled == [])
    write_notebook(cells=SOUND)
    panel.until(lambda panel: panel.enabled == ["check", "export"])
    assert "not valid JSON" not in panel.shown


def test_refresh_says_that_the_notebook_is_gone(make_panel):
    panel = make_panel(*SOUND)
    panel._controller.overview.target.notebook.unlink()
    panel.refresh_button.click()
    panel.until_shown("there is no notebook")


def test_an_export_from_a_terminal_is_seen_too(make_panel):
    panel = make_panel(*SOUND)
    panel.until(lambda panel: panel.enabled == ["check", "export"])
    target = panel._controller.overview.target
    write(plan_file(target.notebook, target.folder / target.bundle, with_hashes=False))
    panel.until_shown("export/effects holds what is listed above.")
    panel.until(lambda panel: len(panel.enabled) == 5)


def test_a_button_runs_its_command_in_the_notebooks_folder(make_panel, monkeypatch):
    # What pip says of hashes is another test's; here it would be asked over the network.
    monkeypatch.setattr(
        controller, "arguments", lambda action, target, _: [action.value, target.notebook.name, "--no-hashes"]
    )
    panel = make_panel(*SOUND)
    panel.click(Action.EXPORT)
    panel.until_shown("byoc-kit export effects.ipynb --no-hashes done")
    panel.until_shown("export/effects holds what is listed above.")
    assert "wrote export/effects: processor.py" in panel.shown
    folder = panel._controller.overview.target.folder
    assert json.loads((folder / "export" / "effects" / "bundle.json").read_bytes())["name"] == "effects"


def test_one_command_runs_at_a_time_and_can_be_cancelled(make_panel, monkeypatch):
    monkeypatch.setattr(
        controller, "arguments", lambda action, target, _: ["watch", target.notebook.name, "--port", "0"]
    )
    panel = make_panel(*SOUND)
    panel.until(lambda panel: panel.cancel_button.disabled)
    panel.click(Action.CHECK)
    panel.until(lambda panel: not panel.cancel_button.disabled)
    first = panel._controller.job
    panel.click(Action.EXPORT)
    panel.until(lambda panel: "wait until the running command ends" in panel.shown and not panel.enabled)
    panel.until_shown("serving tint on http://127.0.0.1:")
    assert panel._controller.job is first
    panel.cancel_button.click()
    panel.until_shown("cancelled")
    panel.until(lambda panel: panel.cancel_button.disabled)
    assert not first.is_failure


def test_the_server_is_ready_during_other_commands_and_stops(make_panel):
    panel = make_panel(*SOUND, with_bundle=True)
    panel.click(Action.SERVE)
    panel.until(
        lambda panel: re.search(r"--port \d+ ready at http://127\.0\.0\.1:\d+, on the kernel's machine", panel.shown)
    )
    port = port_of(panel)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as response:
        assert json.loads(response.read()) == {"status": "ok"}
    assert panel.buttons[Action.SERVE].description == "Stop"
    panel.click(Action.CHECK)
    panel.until_shown("byoc-kit check effects.ipynb done")
    assert is_listening(port)
    panel.click(Action.SERVE)
    panel.until_shown(f"--port {port} stopped")
    panel.until(lambda panel: panel.buttons[Action.SERVE].description == "Serve")
    assert not is_listening(port)


def test_what_runs_is_shown_again_without_the_notebook(make_panel, monkeypatch):
    panel = make_panel(*SOUND, with_bundle=True)
    panel.click(Action.SERVE)
    panel.until_shown("ready at http://127.0.0.1:")
    made_anew = []
    monkeypatch.setattr(page, "as_html", made_anew.append)
    before = panel._server._how_long.value
    panel.until(lambda panel: panel._server._how_long.value != before)
    assert made_anew == []


def test_a_double_click_does_not_stop_what_it_has_begun(make_panel):
    panel = make_panel(*SOUND, with_bundle=True)
    panel.click(Action.SERVE)
    panel.click(Action.SERVE)
    panel.until_shown("ready at http://127.0.0.1:")
    assert panel.buttons[Action.SERVE].description == "Stop"


def test_what_is_cancelled_before_it_began_has_ended(make_panel):
    panel = make_panel(*SOUND)
    started = threading.Event()

    def press_and_cancel():
        panel._controller.press(Action.CHECK)
        panel._controller.cancel()
        started.set()

    panel._thread.call(press_and_cancel)
    assert started.wait(DEADLINE_S)
    panel.until_shown("cancelled")
    panel.until(lambda panel: panel.cancel_button.disabled and "check" in panel.enabled)


def test_closing_ends_the_server(make_panel):
    panel = make_panel(*SOUND, with_bundle=True)
    panel.click(Action.SERVE)
    panel.until_shown("is not ready at")
    panel.until(lambda panel: is_listening(port_of(panel)))
    port = port_of(panel)
    panel.close()
    assert not is_listening(port)
    assert panel.view.comm is None
    panel.close()


def test_a_server_that_cannot_start_says_why(make_panel):
    panel = make_panel(*SOUND, with_bundle=True)
    (panel._controller.overview.target.folder / "export" / "effects" / "bundle.json").write_text("{")
    panel.click(Action.SERVE)
    panel.until_shown("failed (exit code 2): export/effects/bundle.json is damaged")
    assert panel._controller.server.is_failure


def test_build_says_at_once_that_there_is_no_docker(make_panel, monkeypatch, tmp_path):
    panel = make_panel(*SOUND, with_bundle=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    panel.click(Action.BUILD)
    panel.until_shown("failed: there is no `docker` or `podman` or `buildah` on the PATH; install one of them")
    assert panel._controller.job.tail.lines == []


def test_what_breaks_is_reported_and_logged(make_panel, monkeypatch, caplog):
    def break_down():
        raise ZeroDivisionError("by <b>zero</b>")

    panel = make_panel(*SOUND, with_bundle=True)
    monkeypatch.setattr(controller, "choose_engine", break_down)
    panel.click(Action.BUILD)
    panel.until_shown("failed: ZeroDivisionError: by <b>zero</b>")
    assert "ZeroDivisionError" in caplog.text


def test_what_docker_says_in_several_lines_is_shown_as_such(make_panel, monkeypatch):
    def refuse():
        raise ImageError("no\nengine")

    panel = make_panel(*SOUND, with_bundle=True)
    monkeypatch.setattr(controller, "choose_engine", refuse)
    panel.click(Action.BUILD)
    panel.until(lambda panel: "failed: no<br>engine" in " ".join(_html(panel.view)))


def test_each_button_has_a_name_and_says_what_it_does(make_panel):
    panel = make_panel(*SOUND)
    assert [b.description for b in panel.buttons.values()] == [
        "Check",
        "Fix tags",
        "Export",
        "Build",
        "Serve",
        "Verify",
    ]
    assert all(b.tooltip for b in (*panel.buttons.values(), panel.cancel_button, panel.refresh_button))


def test_a_notebook_without_a_kernel_still_shows_the_text(make_panel, monkeypatch):
    published = []
    monkeypatch.setattr("IPython.display.publish_display_data", published.append)
    panel = make_panel(*SOUND)
    panel._ipython_display_()
    assert "goes  2     process_frame  def process_frame(frame):" in published[0]["text/plain"]
    assert published[0]["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.view.model_id
