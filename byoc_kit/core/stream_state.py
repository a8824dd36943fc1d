"""``stream_state`` gives the hooks a namespace that belongs to the stream that they run for."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from byoc_kit.errors import ByocKitError


class StreamState(SimpleNamespace):
    """What the hooks keep for one stream, as attributes."""

    def __getattr__(self, name: str) -> Any:
        msg = f"stream_state() has no {name} yet; write stream_state({name}=None), or set it in on_stream_start(params)"
        raise AttributeError(msg)


_state: ContextVar[StreamState | None] = ContextVar("byoc_kit_stream_state", default=None)


def stream_state(**initial: Any) -> StreamState:
    """Return the namespace of the running stream, whose attributes are yours to set.

    It is new when a stream starts, before ``on_stream_start``, and is gone after ``on_stream_stop``. With a capacity
    above 1 each stream has one of its own, while all streams share the module's globals. A version of the notebook that
    takes over a running stream, by ``byoc-kit watch``, begins with a new one.

    ``process_frame``, ``process_audio``, ``on_stream_start`` and ``on_stream_stop`` of a stream get the same one.
    ``process_frame`` and ``process_audio`` run on a thread each.

    Parameters
    ----------
    **initial
        Attributes and their first values. An attribute that is there keeps its value.

    Returns
    -------
    StreamState
        An object with the attributes that the hooks have set.

    Raises
    ------
    ByocKitError
        Where no hook of a stream runs: in ``load_model``, in a cell, and on threads that the notebook starts itself.

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
    """The states of one stream: one for each processor that serves it, since a swap brings another."""

    def __init__(self) -> None:
        # weak, since an owner may keep the states: so no cycle keeps it alive
        self._of: WeakKeyDictionary[Hashable, StreamState] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> StreamStates | None:
        """Return those whose ``entered`` body runs."""
        return _states.get()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let the processors that run in the body keep their states here."""
        token = _states.set(self)
        try:
            yield
        finally:
            _states.reset(token)

    def begin(self, owner: Hashable) -> None:
        """Give an owner a new state."""
        self._of[owner] = StreamState()

    def end(self, owner: Hashable) -> None:
        """Let go of an owner's state."""
        self._of.pop(owner, None)

    @contextmanager
    def used_by(self, owner: Hashable) -> Iterator[None]:
        """Let ``stream_state`` return the owner's state in the body."""
        token = _state.set(self._of.setdefault(owner, StreamState()))
        try:
            yield
        finally:
            _state.reset(token)


_states: ContextVar[StreamStates | None] = ContextVar("byoc_kit_stream_states", default=None)
