"""``stream_state`` gives the hooks a namespace that belongs to the stream they run for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from byoc_kit.errors import ByocKitError

_state: ContextVar[StreamState | None] = ContextVar("byoc_kit_stream_state", default=None)
_states: ContextVar[StreamStates | None] = ContextVar("byoc_kit_stream_states", default=None)


class StreamState(SimpleNamespace):
    """What the hooks keep for one stream, as attributes."""

    def __getattr__(self, name: str) -> Any:
        msg = f"stream_state() has no {name} yet; write stream_state({name}=None), or set it in on_stream_start(params)"
        raise AttributeError(msg)


def stream_state(**initial: Any) -> StreamState:
    """Return the namespace of the running stream. Set any attributes on it.

    It is made before ``on_stream_start`` and removed after ``on_stream_stop``. With a capacity above 1, each stream has
    its own, while all streams share the module's globals. When ``byoc-kit watch`` puts a new version of the notebook
    into a running stream, that version gets a new namespace.

    All hooks of a stream but ``load_model`` get the same namespace. ``process_frame`` and ``process_audio`` run on two
    threads.

    Parameters
    ----------
    **initial
        Attributes and their first values. An attribute that exists keeps its value.

    Returns
    -------
    StreamState
        An object with the attributes that the hooks have set.

    Raises
    ------
    ByocKitError
        If no hook of a stream runs: in ``load_model``, in a cell, or on a thread that the notebook has started itself.

    Examples
    --------
    >>> import byoc_kit
    >>> def process_frame(frame):
    ...     state = byoc_kit.stream_state(before=None)
    ...     now = frame.tensor
    ...     if state.before is not None and state.before.shape == now.shape:
    ...         now = 0.8 * state.before + 0.2 * now
    ...     state.before = now
    ...     return frame.replace(tensor=now)
    """
    state = _state.get()
    if state is None:
        msg = (
            "stream_state() belongs to a stream, and no hook of a stream runs here; call it in process_frame, "
            "process_audio, on_stream_start or on_stream_stop, on the thread that runs the hook"
        )
        raise ByocKitError(msg)
    for name, value in initial.items():
        vars(state).setdefault(name, value)
    return state


class StreamStates:
    """The states of one stream: one for each processor that serves it, since a swap replaces the processor."""

    def __init__(self) -> None:
        # Weak, since an owner may refer to these states: so no cycle keeps it alive.
        self._of: WeakKeyDictionary[Hashable, StreamState] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> StreamStates | None:
        """Return the states whose ``entered`` body is running."""
        return _states.get()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Keep the states of processors that run in the body here."""
        token = _states.set(self)
        try:
            yield
        finally:
            _states.reset(token)

    def begin(self, owner: Hashable) -> None:
        """Give an owner a new state."""
        self._of[owner] = StreamState()

    def end(self, owner: Hashable) -> None:
        """Remove an owner's state."""
        self._of.pop(owner, None)

    @contextmanager
    def used_by(self, owner: Hashable) -> Iterator[None]:
        """Make ``stream_state`` return the owner's state in the body."""
        token = _state.set(self._of.setdefault(owner, StreamState()))
        try:
            yield
        finally:
            _state.reset(token)
