"""What the preview asks of the IPython kernel it runs in; outside one, the answers are those of a script."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Any

from ipywidgets import Widget

from byoc_kit.core.source_map import SourceMap
from byoc_kit.errors import cell_name


def parent_message() -> dict[str, Any]:
    """Return the message that the calling thread is at work on; empty outside a kernel."""
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return {} if kernel is None else dict(kernel.get_parent("shell") or {})


def has_front_end() -> bool:
    """Tell whether a person looks on: papermill and nbconvert run cells without leave to ask for input."""
    return bool(parent_message().get("content", {}).get("allow_stdin"))


def cell() -> tuple[str, str]:
    """Return the running cell's id, and the id of this run of it; the first is empty where the front end sends none."""
    message = parent_message()
    return str(message.get("metadata", {}).get("cellId", "")), str(message.get("header", {}).get("msg_id", ""))


def subshell_context() -> Context | None:
    """Return the context of a message that came by a subshell, or ``None``.

    ipykernel answers a comm message to the shell of the context it was sent in. What a plain thread sends brings the
    acknowledgements to the main shell, where they wait for a running cell: measured as freezes of 7 to 8 s.
    """
    is_from_subshell = parent_message().get("header", {}).get("subshell_id") is not None
    return copy_context() if is_from_subshell else None


@dataclass(frozen=True)
class ExecutedCell(SourceMap):
    """The one cell that a function was written in, called as IPython's tracebacks call it."""

    def locate(self, line: int) -> str | None:
        """Name the cell and the line in it."""
        return f"{self.notebook}, line {line}"

    def locate_in(self, file: str, line: int) -> str | None:
        """Name a line of another cell."""
        name = cell_name(file)
        return f"{name}, line {line}" if name else None


def source_map(user_file: str) -> SourceMap | None:
    """Return where a function of the running notebook stands; ``None`` for one from a real file."""
    name = cell_name(user_file)
    return ExecutedCell(name, cells=()) if name else None


def global_name(function: Any) -> str | None:
    """Return the name that the notebook has a function under; ``None`` for one that it does not define."""
    from IPython import get_ipython

    name = getattr(function, "__name__", None)
    namespace = getattr(get_ipython(), "user_ns", {})
    return name if name is not None and namespace.get(name) is function else None


def after_each_cell(callback: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
    """Call back with the notebook's names after each cell that ran; returns what ends that."""
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
    """Have the widget's next message come by the shell that the front end sends it to.

    ipykernel 7.4 binds a comm to the shell that last sent on it, and forgets neither the main shell, busy with a
    running cell, nor the subshell of a page since reloaded. There is no public way to undo it; other versions have no
    such attribute.
    """
    if widget.comm is not None:
        vars(widget.comm).pop("_reply_subshell_id", None)
