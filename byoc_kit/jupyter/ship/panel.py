"""The panel in a notebook: the overview, a button for each step, and what became of the last ones."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.control_panel import close_whole
from byoc_kit.jupyter.ship import page
from byoc_kit.jupyter.ship.commands import Action
from byoc_kit.jupyter.ship.controller import CLOSE_GRACE_S, Controller
from byoc_kit.jupyter.ship.loop_thread import LoopThread
from byoc_kit.jupyter.ship.overview import Overview
from byoc_kit.jupyter.ship.plain import as_plain
from byoc_kit.jupyter.ship.views import JobView, Page, make_button

_JOIN_S = CLOSE_GRACE_S + 2.0
_CSS = Path(__file__).with_name("panel.css")
_ABOUT = {
    Action.CHECK: "Say what would keep the saved notebook from being exported",
    Action.EXPORT: "Write the bundle; runs none of the notebook's code",
    Action.BUILD: "Build the bundle's image with Docker",
    Action.SERVE: "Serve the bundle here as its container will",
    Action.VERIFY: "Run a clip through notebook, module and server, and compare them",
}


class Panel:
    """Shows a notebook's overview and runs the commands of its buttons.

    The widgets' callbacks run on other threads (JupyterLab's subshells): they only hand a call to the panel's thread,
    ``ship-panel``, which does all the work and alone changes the widgets.
    """

    def __init__(self, overview: Overview) -> None:
        self._controller = Controller(overview, on_change=self._show, on_progress=self._show_jobs)
        self._thread = LoopThread(self._controller.main, name="ship-panel")
        self._is_started = self._is_ending = False
        self._overview, self._beside = Page(), Page()
        self._reasons = widgets.HTML()
        self._job, self._server = JobView(), JobView()
        self.buttons = {
            action: self._make_button(action.capitalize(), about, self._controller.press, action)
            for action, about in _ABOUT.items()
        }
        self.cancel_button = self._make_button("Cancel", "Interrupt the command that runs", self._controller.cancel)
        self.refresh_button = self._make_button("Refresh", "Read the saved notebook again", self._controller.refresh)
        self.view = self._lay_out(overview)

    def start(self) -> None:
        """Start the panel's thread, once; displaying the panel does it."""
        if self._is_started:
            return
        self._is_started = True
        self._thread.start()
        atexit.register(self._end)

    def close(self) -> None:
        """End what runs, the thread and the widgets."""
        atexit.unregister(self._end)
        self._end()
        close_whole(self.view)

    def _end(self) -> None:
        self._is_ending = True
        self._thread.call(self._controller.stop)
        self._thread.join(_JOIN_S)

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        # The text stays where no kernel runs: on a page that shows the saved notebook.
        view = self.view._repr_mimebundle_()
        publish_display_data({**view, "text/plain": as_plain(self._controller.overview)})
        self.start()

    def _make_button(self, name: str, about: str, act: Callable[..., None], *arguments: Action) -> widgets.Button:
        return make_button(name, about, lambda: self._thread.call(act, *arguments))

    def _lay_out(self, overview: Overview) -> widgets.VBox:
        style = widgets.HTML(f"<style>{_CSS.read_text()}</style>", layout=widgets.Layout(display="none"))
        buttons = [*self.buttons.values(), self.cancel_button, self.refresh_button]
        view = widgets.VBox(
            [
                style,
                self._overview.view,
                widgets.HBox(buttons, layout=widgets.Layout(flex_flow="row wrap")),
                self._reasons,
                self._beside.view,
                self._job.view,
                self._server.view,
                widgets.HTML(page.what_runs(overview.target)),
            ]
        )
        view.add_class("byoc-ship")
        return view

    def _show(self) -> None:
        """Bring the widgets up to date; what has not changed is not sent."""
        if self._is_ending:
            return
        controller = self._controller
        self._overview.show(page.as_html(controller.overview))
        self._beside.show(page.beside(controller.overview))
        reasons = {action: controller.why_not(action) for action in Action}
        self._reasons.value = page.reasons(reasons, controller.fault)
        for action, button in self.buttons.items():
            button.disabled = bool(reasons[action])
        self.buttons[Action.SERVE].description = "Stop" if controller.is_serving else "Serve"
        self.cancel_button.disabled = not controller.is_busy
        for button in (*self.buttons.values(), self.cancel_button, self.refresh_button):
            kernel.let_front_end_choose(button)
        self._show_jobs()

    def _show_jobs(self) -> None:
        """Bring what runs up to date, which changes all the time."""
        if self._is_ending:
            return
        if self._controller.job is not None:
            self._job.show(self._controller.job)
        if self._controller.server is not None:
            self._server.show(self._controller.server)
