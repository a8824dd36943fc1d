"""Shows the overview and the jobs as HTML, by the macros of ``panel.html``.

The links to cells have JupyterLab's form (``name.ipynb#cell-id=...``): JupyterLab scrolls to the cell even if its
windowing has detached it. They work only in HTML that JupyterLab itself renders, as in an output.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import groupby
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader

from byoc_kit.errors import printable
from byoc_kit.jupyter.ship.controller import Action, Choices, Job, arguments, shown
from byoc_kit.jupyter.ship.overview import EXPORTER_NAMES, Overview, Target
from byoc_kit.notebook.findings import Place
from byoc_kit.notebook.report import summary

_WIDEST = 160
_CONTEXT = 40


def as_html(overview: Overview) -> str:
    """Return the title, the cells and the findings."""
    counted = summary(overview.findings, overview.name)
    return f"{_panel().cells(overview, EXPORTER_NAMES)}{_panel().findings(overview, counted, excerpt)}"


def exports(overview: Overview) -> str:
    """Return the bundle, how it compares with the saved notebook, and the report of verify."""
    return str(_panel().exports(overview))


def reasons(reasons: Mapping[Action, str], fault: str) -> str:
    """Return why buttons are disabled, grouped by reason."""
    actions = sorted((reason, list(Action).index(action), action) for action, reason in reasons.items() if reason)
    groups = [(list(group), reason) for reason, group in groupby(actions, key=lambda one: one[0])]
    return str(_panel().reasons([([action for *_, action in group], reason) for group, reason in groups], fault))


def what_runs(target: Target, choices: Choices) -> str:
    """Return the command of each button, and where it runs. A click selects a whole command."""
    commands = [(action, shown(arguments(action, target, choices))) for action in Action]
    return str(_panel().what_runs(target.folder, commands))


def headline(job: Job) -> str:
    """Return what runs, or how it ended. It changes only with that, so a screen reader reads it once."""
    return str(_panel().headline(job, shown(job.arguments)))


def how_long(job: Job) -> str:
    """Return how long it has run, or ran."""
    return str(_panel().how_long(int(job.took_s)))


def log(job: Job) -> str:
    """Return the end of its log."""
    return str(_panel().log(job))


@cache
def _panel() -> Any:
    environment = Environment(
        loader=PackageLoader("byoc_kit.jupyter.ship", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"printable": printable, "href": _href}
    return environment.get_template("panel.html").module


def _href(path: PurePath | str) -> str:
    """Return a file's path relative to the notebook; after ``./``, a colon in a name does not look like a protocol."""
    return f"./{quote(PurePath(path).as_posix())}"


def excerpt(place: Place) -> tuple[str, str, str]:
    """Return the line that a finding is about: before its place, the place, after it; of a long line, only near it."""
    lines = place.cell.text
    line = lines[(place.line or 1) - 1] if (place.line or 1) <= len(lines) else ""
    begin = (place.column or 1) - 1
    end = max(begin, (place.end_column or begin + 1) - 1) if place.column else begin
    start = max(0, begin - _CONTEXT) if len(line) > _WIDEST else 0
    end, stop = min(end, start + _WIDEST), start + _WIDEST
    return f"{'…' * (start > 0)}{line[start:begin]}", line[begin:end], f"{line[end:stop]}{'…' * (stop < len(line))}"
