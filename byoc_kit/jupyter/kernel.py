"""Answers the preview's questions about its IPython kernel; outside a kernel, the answers are those for a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from ipywidgets import Widget

from byoc_kit.core.source_map import SourceMap
from byoc_kit.errors import cell_name


def parent_message() -> dict[str, Any]:
    """Return the message that the calling thread is handling; empty outside a kernel."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return {} if kernel is None else dict(kernel.get_parent("shell") or {})


def has_front_end() -> bool:
    """Tell whether a person watches: papermill and nbconvert do not allow cells to ask for input."""
    return bool(parent_message().get("content", {}).get("allow_stdin"))


def cell() -> tuple[str, str]:
    """Return the running cell's id and the id of this run. The first is empty if the front end sends none."""
    message = parent_message()
    return str(message.get("metadata", {}).get("cellId", "")), str(message.get("header", {}).get("msg_id", ""))


def subshell_context() -> Context | None:
    """Return the context of a message that came by a subshell, or ``None``.

    The front end answers a comm message to the shell of the context that sent it. The answers to a plain thread's
    messages go to the main shell, where they wait for a running cell: this was measured as freezes of 7 to 8 s.
    """
    is_from_subshell = parent_message().get("header", {}).get("subshell_id") is not None
    return copy_context() if is_from_subshell else None


@dataclass(frozen=True)
class ExecutedCell(SourceMap):
    """The cell that a function was written in, under the name that IPython's tracebacks use."""

    def locate(self, line: int) -> str | None:
        """Name the cell and the line in it."""
        return f"{self.notebook}, line {line}"

    def locate_in(self, file: str, line: int) -> str | None:
        """Name a line of another cell."""
        name = cell_name(file)
        return f"{name}, line {line}" if name else None


def source_map(user_file: str) -> SourceMap | None:
    """Return the cell of a function of the running notebook; ``None`` for a function from a real file."""
    name = cell_name(user_file)
    return ExecutedCell(name, cells=()) if name else None


def global_name(function: Any) -> str | None:
    """Return a function's name in the notebook; ``None`` if the notebook does not define it."""
    from IPython import get_ipython

    name = getattr(function, "__name__", None)
    namespace = getattr(get_ipython(), "user_ns", {})
    return name if name is not None and namespace.get(name) is function else None


def after_each_cell(callback: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
    """Call ``call`` with the notebook's names after each cell that ran. Returns a function that stops this."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return lambda: None

    def after_cell(_: Any) -> None:
        callback(shell.user_ns)

    def stop() -> None:
        if after_cell in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", after_cell)

    shell.events.register("post_run_cell", after_cell)
    return stop


def let_front_end_choose(widget: Widget) -> None:
    """Let the front end choose the shell for the widget's next message.

    ipykernel 7.4 binds a comm to the shell that last sent on it. That may be the main shell, busy with a running cell,
    or the subshell of a page that was reloaded since. There is no public way to undo this; other versions do not have
    the attribute.
    """
    if widget.comm is not None:
        vars(widget.comm).pop("_reply_subshell_id", None)
