"""What the preview and the ship panel ask of their IPython kernel, and what each cell of its notebook has open.

Outside a kernel, the answers are those for a script.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ipywidgets import Widget

from byoc_kit.core.source_map import SourceMap
from byoc_kit.errors import ByocKitError, cell_name, printable

_EXAMPLE = 'give its path: ship("my_model.ipynb")'


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
    """Call ``callback`` with the notebook's names after each cell that ran. Returns a function that stops this."""
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


class UnknownNotebookError(ByocKitError):
    """Nothing tells which notebook runs."""


def this_notebook() -> Path:
    """Return the path of the running notebook. Raises ``UnknownNotebookError``."""
    from IPython import get_ipython

    return find_notebook(os.environ, getattr(get_ipython(), "user_ns", {}))


def notebook_name() -> str:
    """Return the running notebook's name without its ending; empty if nothing tells it."""
    try:
        return this_notebook().stem
    except UnknownNotebookError:
        return ""


def find_notebook(environment: Mapping[str, str], namespace: Mapping[str, Any]) -> Path:
    """Return the path that Visual Studio Code or a Jupyter server left in the namespace or the environment.

    The server sets ``JPY_SESSION_NAME`` when the kernel starts, so it is the old name of a notebook renamed since.
    """
    said = str(namespace.get("__vsc_ipynb_file__") or environment.get("JPY_SESSION_NAME") or "")
    if not said.endswith(".ipynb"):
        msg = f"nothing here tells which notebook this is; {_EXAMPLE}"
        raise UnknownNotebookError(msg)
    if not Path(said).is_file():
        msg = f"this kernel was started for {printable(said)}, which is not there any more; restart it, or {_EXAMPLE}"
        raise UnknownNotebookError(msg)
    return Path(said)


class Closable(Protocol):
    """Something that can be closed."""

    def close(self) -> None:
        """Close it."""
        ...


class OpenByCell:
    """Keeps what each cell opened. Several things that one run opened may stay open side by side.

    ``cell_and_run`` is what ``cell`` returns.
    """

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, list[Closable]]] = {}
        self._closed: dict[str, list[Closable]] = {}

    def close_earlier(self, cell_and_run: tuple[str, str]) -> None:
        """Close what an earlier run of this cell left open."""
        cell, run = cell_and_run
        earlier_run, opened = self._open.get(cell, (run, []))
        if earlier_run == run:
            return
        del self._open[cell]
        self._closed[cell] = opened
        for one in opened:
            one.close()

    def predecessor(self, cell_and_run: tuple[str, str]) -> Closable | None:
        """Return what the run before had opened in the place of the next thing that this run opens; it is closed."""
        cell, run = cell_and_run
        _, opened = self._open.get(cell, (run, []))
        return next(iter(self._closed.get(cell, [])[len(opened) :]), None)

    def add(self, cell_and_run: tuple[str, str], opened: Closable) -> None:
        """Keep what this run of the cell opened."""
        cell, run = cell_and_run
        self._open.setdefault(cell, (run, []))[1].append(opened)
