"""The panel in a notebook: the overview, a button for each step, and the results of the last steps."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.controls import close_whole
from byoc_kit.jupyter.ship import page
from byoc_kit.jupyter.ship.controller import CLOSE_GRACE_S, Action, Choices, Controller, Job
from byoc_kit.jupyter.ship.overview import Overview, as_plain
from byoc_kit.system.concurrency import LoopThread

# The longest that Windows and GTK take for one double click.
_DOUBLE_CLICK_S = 0.5
_JOIN_S = CLOSE_GRACE_S + 2.0
_CSS = Path(__file__).with_name("panel.css")
_ABOUT = {
    Action.CHECK: "Say what would keep the saved notebook from being exported",
    Action.FIX: "Save the notebook first. Tags the cells that the tagged ones need; then reload it from disk",
    Action.EXPORT: "Write the bundle; runs none of the notebook's code",
    Action.BUILD: "Build the bundle's image",
    Action.SERVE: "Serve the bundle here as its container will",
    Action.VERIFY: "Run a clip through notebook, module and server, and compare them",
}
_ABOUT_WHEELHOUSE = "Export with every wheel beside it: a build then needs no network"
_ABOUT_BASE = "An image with the notebook's Python that the build starts from"


class Page:
    """HTML that JupyterLab renders like an output, so that links to cells and files open inside JupyterLab.

    The browser follows an ``HTML`` widget's links, and would leave JupyterLab.
    """

    def __init__(self) -> None:
        self.view = widgets.Output()

    def show(self, html: str) -> None:
        """Show ``html``, unless it is shown already."""
        data = {"text/html": html, "text/plain": ""}
        self.view.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)


class JobView:
    """Shows what runs, or how it ended, with the end of its log; empty before the first job."""

    def __init__(self) -> None:
        self._headline, self._how_long, self._log = widgets.HTML(), widgets.HTML(), widgets.HTML()
        first = widgets.HBox([self._headline, self._how_long], layout=widgets.Layout(flex_flow="row wrap"))
        self.view = widgets.VBox([first, self._log], layout=widgets.Layout(display="none"))
        self.view.add_class("byoc-ship-job")

    def show(self, job: Job) -> None:
        """Show a job's present state; only changes are sent."""
        self.view.layout.display = None
        self._headline.value = page.headline(job)
        self._how_long.value = page.how_long(job)
        self._log.value = page.log(job)


def make_button(name: str, about: str, act: Callable[[], None]) -> widgets.Button:
    """Make a button. A double click acts once, since its second click would stop what the first began."""
    button = widgets.Button(description=name, tooltip=about, layout=widgets.Layout(width="auto"))
    acted_s = -_DOUBLE_CLICK_S

    def on_click(_: widgets.Button) -> None:
        nonlocal acted_s
        now_s = time.monotonic()
        if now_s - acted_s >= _DOUBLE_CLICK_S:
            acted_s = now_s
            act()

    button.on_click(on_click)
    return button


class Panel:
    """Shows a notebook's overview and runs the commands of its buttons.

    The widgets' callbacks run on other threads (JupyterLab's subshells). They only pass a call to the panel's thread,
    ``ship-panel``. That thread does all the work, and no other thread changes the widgets.
    """

    def __init__(self, overview: Overview) -> None:
        self._controller = Controller(overview, on_change=self._show, on_progress=self._show_jobs)
        self._thread: LoopThread | None = None
        self._is_ending = False
        self._overview, self._exports = Page(), Page()
        self._reasons = widgets.HTML()
        self._job, self._server = JobView(), JobView()
        self.buttons = {
            action: self._make_button(action.capitalize(), about, self._controller.press, action)
            for action, about in _ABOUT.items()
        }
        self.wheelhouse = widgets.Checkbox(description="Wheelhouse", indent=False, tooltip=_ABOUT_WHEELHOUSE)
        self.base_image = widgets.Text(
            description="Base image", placeholder="that of the Dockerfile", tooltip=_ABOUT_BASE, continuous_update=False
        )
        for choice in (self.wheelhouse, self.base_image):
            choice.layout.width = "auto"
            choice.observe(lambda _: self._choose(), "value")
        self._what_runs = widgets.HTML(page.what_runs(overview.target, Choices()))
        self.cancel_button = self._make_button("Cancel", "Interrupt the command that runs", self._controller.cancel)
        self.refresh_button = self._make_button("Refresh", "Read the saved notebook again", self._controller.refresh)
        for button in (*self.buttons.values(), self.cancel_button):
            button.disabled = True  # until the panel knows which steps are possible
        self.view = self._lay_out()

    def start(self) -> None:
        """Start the panel's thread, once; displaying the panel does it."""
        if self._thread is not None:
            return
        self._thread = LoopThread("ship-panel", self._controller.main)
        atexit.register(self._end)

    def close(self) -> None:
        """End what runs, the thread and the widgets."""
        atexit.unregister(self._end)
        self._end()
        close_whole(self.view)

    def _end(self) -> None:
        self._is_ending = True
        self._call(self._controller.stop)
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        # The text shows if no kernel runs: on a page with the saved notebook.
        view = self.view._repr_mimebundle_()
        publish_display_data({**view, "text/plain": as_plain(self._controller.overview)})
        self.start()

    def _make_button(self, name: str, about: str, act: Callable[..., None], *arguments: Action) -> widgets.Button:
        return make_button(name, about, lambda: self._call(act, *arguments))

    def _call(self, act: Callable[..., None], *arguments: object) -> None:
        if self._thread is not None:
            self._thread.call(act, *arguments)

    def _choose(self) -> None:
        choices = Choices(has_wheelhouse=self.wheelhouse.value, base_image=self.base_image.value.strip())
        self._call(self._controller.choose, choices)

    def _lay_out(self) -> widgets.VBox:
        style = widgets.HTML(f"<style>{_CSS.read_text()}</style>", layout=widgets.Layout(display="none"))
        buttons = [*self.buttons.values(), self.cancel_button, self.refresh_button]
        view = widgets.VBox(
            [
                style,
                self._overview.view,
                widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap")),
                widgets.HBox([self.wheelhouse, self.base_image], layout=widgets.Layout(flex_flow="row wrap")),
                self._reasons,
                self._exports.view,
                self._job.view,
                self._server.view,
                self._what_runs,
            ]
        )
        view.add_class("byoc-ship")
        return view

    def _show(self) -> None:
        """Update the widgets; only changes are sent."""
        if self._is_ending:
            return
        controller = self._controller
        self._overview.show(page.as_html(controller.overview))
        self._exports.show(page.exports(controller.overview))
        reasons = {action: controller.why_not(action) for action in Action}
        has_untagged = bool(controller.overview.untagged)
        self.buttons[Action.FIX].layout.display = None if has_untagged else "none"
        told = {action: reason for action, reason in reasons.items() if action is not Action.FIX or has_untagged}
        self._reasons.value = page.reasons(told, controller.fault)
        self._what_runs.value = page.what_runs(controller.overview.target, controller.choices)
        for action, button in self.buttons.items():
            button.disabled = bool(reasons[action])
        self.buttons[Action.SERVE].description = "Stop" if controller.is_serving else "Serve"
        self.cancel_button.disabled = not controller.is_busy
        controls = (*self.buttons.values(), self.cancel_button, self.refresh_button, self.wheelhouse, self.base_image)
        for control in controls:
            kernel.let_front_end_choose(control)
        self._show_jobs()

    def _show_jobs(self) -> None:
        """Update what runs, which changes all the time."""
        if self._is_ending:
            return
        if self._controller.job is not None:
            self._job.show(self._controller.job)
        if self._controller.server is not None:
            self._server.show(self._controller.server)
