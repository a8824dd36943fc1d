"""The widgets that the panel is made of."""

from __future__ import annotations

import time
from collections.abc import Callable

import ipywidgets as widgets

from byoc_kit.jupyter.ship import job_page
from byoc_kit.jupyter.ship.job import Job

# The longest that Windows and GTK take for one double click.
_DOUBLE_CLICK_S = 0.5


class Page:
    """HTML that JupyterLab renders as it does an output, so that links to cells and files open in it.

    An ``HTML`` widget's links are the browser's, which would leave JupyterLab.
    """

    def __init__(self) -> None:
        self.view = widgets.Output()

    def show(self, html: str) -> None:
        """Show it, unless it is shown already."""
        data = {"text/html": html, "text/plain": ""}
        self.view.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)


class JobView:
    """What runs, or how it ended, with the end of its log; empty before there is a job."""

    def __init__(self) -> None:
        self._headline, self._how_long, self._log = widgets.HTML(), widgets.HTML(), widgets.HTML()
        first = widgets.HBox([self._headline, self._how_long], layout=widgets.Layout(flex_flow="row wrap"))
        self.view = widgets.VBox([first, self._log], layout=widgets.Layout(display="none"))
        self.view.add_class("byoc-ship-job")

    def show(self, job: Job) -> None:
        """Show a job as it stands; what has not changed is not sent."""
        self.view.layout.display = None
        self._headline.value = job_page.headline(job)
        self._how_long.value = job_page.how_long(job)
        self._log.value = job_page.log(job)


def make_button(name: str, about: str, act: Callable[[], None]) -> widgets.Button:
    """Make a button; a double click acts once, for the second one would stop what the first has begun."""
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
