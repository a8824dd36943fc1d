"""Shows the overview and the jobs as HTML. Each text of a notebook or a log is escaped: a title may be ``<script>``.

The links to cells have JupyterLab's form (``name.ipynb#cell-id=...``): JupyterLab scrolls to the cell even if its
windowing has detached it. They work only in HTML that JupyterLab itself renders, as in an output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from byoc_kit.errors import printable
from byoc_kit.jupyter.ship.commands import Action, Choices, arguments, shown
from byoc_kit.jupyter.ship.controller import Job
from byoc_kit.jupyter.ship.overview import EXPORTER_NAMES, BundleState, Overview, Row, Target
from byoc_kit.notebook.findings import Finding, Place
from byoc_kit.notebook.notebook_file import Cell
from byoc_kit.notebook.report import summary

_SPINNER = '<span class="byoc-ship-spinner" aria-hidden="true"></span>'


def headline(job: Job) -> str:
    """Return what runs, or how it ended. It changes only with that, so a screen reader reads it once."""
    command = f"<code>{_as_text(shown(job.arguments))}</code>"
    if not job.is_running:
        role, look = ("alert", "byoc-ship-bad") if job.is_failure else ("status", "byoc-ship-good")
        return f'<div role="{role}">{command} <b class="{look}">{_lines(job.ending)}</b></div>'
    return f'<div role="status">{_SPINNER if not _is_ready(job) else ""}{command} {_state(job)}</div>'


def how_long(job: Job) -> str:
    """Return how long it has run, or ran."""
    seconds = int(job.took_s)
    said = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    return f'<span class="byoc-ship-lead">{said}</span>'


def log(job: Job) -> str:
    """Return the end of its log."""
    lines = "\n".join(map(escape, job.tail.lines))
    return f'<pre class="byoc-ship-log" role="log" aria-live="off" aria-label="Log of {job.action}">{lines}</pre>'


def _state(job: Job) -> str:
    if job.is_cancelled:
        return "is ending; once more kills it"
    if job.action is not Action.SERVE:
        return "runs"
    if job.health is None:
        return "starts"
    url = escape(job.health.url)
    link = f'<a href="{url}/health" target="_blank" rel="noopener">{url}</a>'
    if _is_ready(job):
        return f'<b class="byoc-ship-good">ready</b> at {link}, on the kernel\'s machine'
    return f"is not ready at {link}: {_as_text(job.health.detail)}"


def _is_ready(job: Job) -> bool:
    return job.health is not None and job.health.is_ready


def _lines(text: str) -> str:
    return "<br>".join(map(_as_text, text.split("\n")))


def _as_text(text: str) -> str:
    return escape(printable(text))


_MOST_ROWS = 300
_MOST_FINDINGS = 100
_MOST_NAMES = 6
_WIDEST = 160
_CONTEXT = 40


def as_html(overview: Overview) -> str:
    """Return the title, the cells and the findings."""
    return "".join(
        [
            f'<div class="byoc-ship-title">{escape(overview.title)}</div>',
            f'<p class="byoc-ship-lead">{_lead(overview)}</p>',
            _table(overview),
            *_findings(overview),
        ]
    )


def exports(overview: Overview) -> str:
    """Return the bundle, how it compares with the saved notebook, and the report of verify."""
    bundle = f"<code>{_text(str(overview.target.bundle))}</code>"
    said = {
        BundleState.MISSING: f"{bundle} is not there yet.",
        BundleState.SAME: f"{bundle} holds what is listed above.",
        BundleState.DIFFERENT: f"{bundle} is not what the notebook says: {_text(overview.why_different)}.",
    }[overview.bundle]
    if overview.reported:
        link = f'<a href="{_href(overview.target.report)}">{_text(str(overview.target.report))}</a>'
        said += f" Report of the last verify, {overview.reported:%Y-%m-%d %H:%M:%S}: {link}"
    return f'<p class="byoc-ship-lead">{said}</p>'


def _lead(overview: Overview) -> str:
    going, staying = len(overview.going), len(overview.rows) - len(overview.going)
    offered = f"<b>{escape(overview.capability)}</b>" if overview.capability else "a capability that cannot be read"
    cells = f"{going} code cell{'s' * (going != 1)} of {_text(overview.name)} go{'es' * (going == 1)}"
    version = f"the version saved at {overview.saved:%H:%M:%S}" if overview.saved else "the saved version"
    return (
        f"{cells} into the container as {offered}, {staying} stay{'s' * (staying == 1)}. "
        f"This is {version}, without unsaved changes."
    )


def _table(overview: Overview) -> str:
    if not overview.rows:
        return ""
    shown = overview.rows[:_MOST_ROWS]
    left_out = len(overview.rows) - len(shown)
    more = f'<p class="byoc-ship-lead">and {left_out} cells more</p>' if left_out else ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Container", "Cell", "Defines", "Begins with"))
    body = "".join(_row(overview, row) for row in shown)
    return (
        '<div class="byoc-ship-scroll" tabindex="0" role="region" aria-label="Code cells">'
        '<table class="byoc-ship-table byoc-ship-cells">'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _row(overview: Overview, row: Row) -> str:
    names = [f"<b>{escape(n)}</b>" if n in EXPORTER_NAMES else escape(n) for n in row.defines[:_MOST_NAMES]]
    names += [f"{len(row.defines) - _MOST_NAMES} more"] if len(row.defines) > _MOST_NAMES else []
    look, goes = ("byoc-ship-goes", "goes") if row.goes else ("byoc-ship-stays", "stays")
    cell = row.name
    return (
        f'<tr class="{look}"><td>{goes}</td><td>{_link(overview, row.cell, cell)}</td>'
        f"<td>{', '.join(names)}</td><td><code>{_text(row.first_line)}</code></td></tr>"
    )


def _findings(overview: Overview) -> Iterator[str]:
    counted = summary(overview.findings, overview.name)
    look = "byoc-ship-bad" if overview.errors else "byoc-ship-good"
    yield f'<p class="byoc-ship-verdict {look}">{escape(counted)}</p>'
    shown = overview.findings[:_MOST_FINDINGS]
    for severity, group in groupby(shown, key=lambda finding: finding.severity):
        items = "".join(_items(overview, group))
        yield f'<ul class="byoc-ship-findings byoc-ship-{severity}" aria-label="{severity}s">{items}</ul>'
    left_out = len(overview.findings) - len(shown)
    if left_out:
        yield f'<p class="byoc-ship-lead">and {left_out} findings more; Check prints them all</p>'


def _items(overview: Overview, findings: Iterable[Finding]) -> Iterator[str]:
    for finding in findings:
        place = finding.place
        where = f" in {_link(overview, place.cell, _where(place))}" if place else ""
        said = f"<b>{finding.severity}</b>{where}: {_text(finding.message)} <code>[{escape(finding.code)}]</code>"
        excerpt = f"<pre>{_excerpt(place)}</pre>" if place and place.line else ""
        yield f'<li>{said}{excerpt}<span class="byoc-ship-hint">{_text(finding.hint)}</span></li>'


def _where(place: Place) -> str:
    return f"cell {place.cell.number}" + (f", line {place.line}" if place.line else "")


def _excerpt(place: Place) -> str:
    """Return the line that a finding is about, with its place marked; of a long line, only the part around it."""
    lines = place.cell.text
    line = lines[(place.line or 1) - 1] if (place.line or 1) <= len(lines) else ""
    begin = (place.column or 1) - 1
    end = max(begin, (place.end_column or begin + 1) - 1) if place.column else begin
    start = max(0, begin - _CONTEXT) if len(line) > _WIDEST else 0
    end, stop = min(end, start + _WIDEST), start + _WIDEST
    marked = f"<mark>{_text(line[begin:end])}</mark>" if end > begin else ""
    return f"{'…' * (start > 0)}{_text(line[start:begin])}{marked}{_text(line[end:stop])}{'…' * (stop < len(line))}"


def _link(overview: Overview, cell: Cell, text: str) -> str:
    """Return a link to a cell, or only its text if the file has no id for it, as before nbformat 4.5."""
    if cell.id is None:
        return escape(text)
    return f'<a href="{_href(Path(overview.name))}#cell-id={quote(cell.id)}">{escape(text)}</a>'


def _href(path: Path) -> str:
    """Return a file's path relative to the notebook; after ``./``, a colon in a name does not look like a protocol."""
    return escape(f"./{quote(path.as_posix())}")


def _text(text: str) -> str:
    return escape(printable(text))


def reasons(reasons: Mapping[Action, str], fault: str) -> str:
    """Return why buttons are disabled, grouped by reason."""
    if fault:
        return f'<p class="byoc-ship-verdict byoc-ship-bad" role="alert">{_text(fault)}</p>'
    actions = sorted((reason, list(Action).index(action), action) for action, reason in reasons.items() if reason)
    said = [
        f"{', '.join(action.capitalize() for *_, action in group)}: {escape(reason)}."
        for reason, group in groupby(actions, key=lambda one: one[0])
    ]
    return f'<p class="byoc-ship-lead" role="status">{" ".join(said)}</p>'


def what_runs(target: Target, choices: Choices) -> str:
    """Return the command of each button, and where it runs. A click selects a whole command."""
    rows = "".join(
        f'<tr><th scope="row">{action.capitalize()}</th>'
        f'<td><code class="byoc-ship-command">{_text(shown(arguments(action, target, choices)))}</code></td></tr>'
        for action in Action
    )
    where = f"in <code>{_text(str(target.folder))}</code>; Serve adds a free <code>--port</code>"
    return (
        '<details class="byoc-ship-commands"><summary>What the buttons run</summary>'
        f'<p>{where}</p><table class="byoc-ship-table">{rows}</table></details>'
    )
