"""The widgets that the panel is made of."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from byoc_kit.ship import job_page
from byoc_kit.ship.job import Job


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


def make_button(name: str, about: str) -> widgets.Button:
    """Make a button."""
    return widgets.Button(description=name, tooltip=about, layout=widgets.Layout(width="auto"))


def close_all(widget: Any) -> None:
    """Close a widget and what is in it."""
    for inner in getattr(widget, "children", ()):
        close_all(inner)
    widget.close()
