"""A job as HTML: what runs or how it ended, for how long, and the end of its log. What a log says is escaped."""

from __future__ import annotations

from html import escape

from byoc_kit.jupyter.ship.commands import Action, shown
from byoc_kit.jupyter.ship.job import Job
from byoc_kit.notebook.text import printable

_SPINNER = '<span class="byoc-ship-spinner" aria-hidden="true"></span>'


def headline(job: Job) -> str:
    """Return what runs, or how it ended. It changes only with that, so that a screen reader says it once."""
    command = f"<code>{_text(shown(job.arguments))}</code>"
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
    return f"is not ready at {link}: {_text(job.health.detail)}"


def _is_ready(job: Job) -> bool:
    return job.health is not None and job.health.is_ready


def _lines(text: str) -> str:
    return "<br>".join(map(_text, text.split("\n")))


def _text(text: str) -> str:
    return escape(printable(text))
