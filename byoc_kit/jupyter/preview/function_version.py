"""A version of a notebook's ``process_frame`` with its hooks, how the next one is found, and the compared function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from byoc_kit.core.frames import VideoFrame
from byoc_kit.core.hooks import Hook, Hooks, function_behind
from byoc_kit.core.params import Params, carried_over
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stage import Processed
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.errors import ByocKitError, cell_name, name_of, text_of
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.feed import noted
from byoc_kit.jupyter.preview.outcomes import largest_of
from byoc_kit.jupyter.preview.printed import Printed, printing_to
from byoc_kit.system.concurrency import call_on_thread

_OPTIONAL = ("load_model", "on_stream_start", "on_stream_stop")


@dataclass(eq=False)
class HookState:
    """Which hooks of a notebook have run so far. All versions of ``process_frame`` share it.

    So a model is not loaded again because another cell was edited, and ``stream_state`` begins anew only where
    ``on_stream_start`` is due. ``stream`` is the number of the running stream. ``printed`` keeps what the hooks print;
    without it their text goes where it always goes.
    """

    loaded: set[Hook | None] = field(default_factory=set)
    started: set[Hook | None] = field(default_factory=set)
    stream: int | None = None
    is_streaming: bool = False
    printed: Printed | None = None
    states: StreamStates = field(default_factory=StreamStates)


class Version(FrameProcessor):
    """Runs ``load_model`` and ``on_stream_start`` before its first frame, each on a thread, as the container does.

    When a frame of another ``stream`` comes, the old stream ends and a new one begins. Raises ``ByocKitError`` for a
    ``process_frame`` that cannot be called, or if a default of its parameters does not fit.
    """

    def __init__(self, process_frame: Callable[..., Any], *, hook_state: HookState | None = None) -> None:
        hooks = Hooks.of(process_frame, **_other_hooks(process_frame))
        hooks = dataclasses.replace(hooks, params_type=as_defined_now(hooks.params_type, _namespace(process_frame)))
        super().__init__(hooks)
        self.source_map = kernel.source_map(hooks.user_file)
        self.largest = 0.0
        self._hook_state = hook_state or HookState()

    @property
    def name(self) -> str:
        """The function's name in the notebook."""
        function = self.hooks.process_frame
        return str(getattr(function, "__name__", type(function).__name__))

    @property
    def cell(self) -> str:
        """The run of the cell that defines the function, such as ``In[5]``; empty for a function of a module."""
        return (cell_name(self.hooks.user_file) or "").removeprefix("Cell ")

    def with_function(self, process_frame: Callable[..., Any]) -> Version:
        """Return a version with another function of the same notebook: a newer one, or one to compare with."""
        return Version(process_frame, hook_state=self._hook_state)

    def print_to(self, printed: Printed) -> None:
        """Keep what the hooks print, of whatever version, while a frame goes through."""
        self._hook_state.printed = printed

    def process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run the hooks that are due, then ``process_frame``. Raises what they raise."""
        with printing_to(self._hook_state.printed):
            return self._process(frame, params)

    def _process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        hook_state = self._hook_state
        stream = noted(frame, "stream")
        if stream != hook_state.stream:
            self.end_stream()
        if self.hooks.load_model not in hook_state.loaded:
            call_on_thread(self.load, name="load_model")
        if self.hooks.on_stream_start not in hook_state.started:
            call_on_thread(partial(self.start_stream, params), name="on_stream_start")
        hook_state.stream, hook_state.is_streaming = stream, True
        return super().process(frame, params)

    def call(self, frame: VideoFrame, params: Params) -> Any:
        """Run ``process_frame`` and remember the largest value that it returned."""
        returned = super().call(frame, params)
        self.largest = largest_of(returned)
        return returned

    def check_scale(self, returned: Any) -> None:
        """Log nothing: the preview shows the warning."""

    def load(self) -> None:
        """Run ``load_model()``, unless it has run for another version."""
        if self.hooks.load_model not in self._hook_state.loaded:
            super().load()
            self._hook_state.loaded.add(self.hooks.load_model)

    def start_stream(self, params: Params) -> None:
        """Run ``on_stream_start(params)`` and remember that it has run for this stream."""
        super().start_stream(params)
        self._hook_state.started.add(self.hooks.on_stream_start)

    def stop_stream(self) -> None:
        """Run ``on_stream_stop()``; the next frame begins another stream."""
        self._hook_state.is_streaming = False
        self._hook_state.started.clear()
        super().stop_stream()

    @property
    def stream_states(self) -> StreamStates:
        """Where the hooks' state is kept: in the preview, since the function that it is compared with has no stage."""
        return self._hook_state.states

    @property
    def state_owner(self) -> Hashable:
        """What all versions share."""
        return self._hook_state

    def run_on_copy(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run it on a copy of a frame that another version also gets, with the values of its parameters that fit."""
        return self.process(frame.original(), self.carried_over(params))

    def carried_over(self, params: Params) -> Params:
        """Return this version's parameters with the given values; a value that does not fit is its default."""
        return carried_over(params, self.hooks.params_type)[0]

    def end_stream(self) -> None:
        """Run ``on_stream_stop`` if a stream has begun."""
        if self._hook_state.is_streaming:
            call_on_thread(self.stop_stream, name="on_stream_stop")


def as_defined_now(params_type: type[Params], namespace: Mapping[str, Any]) -> type[Params]:
    """Return the notebook's present class of this name: perhaps only the class's own cell has run again."""
    now = namespace.get(params_type.__name__)
    is_the_notebooks = params_type.__module__ == "__main__" and params_type.__qualname__ == params_type.__name__
    is_class = isinstance(now, type) and issubclass(now, Params)
    return cast("type[Params]", now) if is_the_notebooks and is_class else params_type


def _other_hooks(process_frame: Callable[..., Any]) -> dict[str, Hook]:
    """Return the other hooks of the notebook that defines ``process_frame``."""
    namespace = _namespace(process_frame)
    return {name: namespace[name] for name in _OPTIONAL if callable(namespace.get(name))}


def _namespace(process_frame: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the names of the notebook that defines a function; none for a function of a module."""
    function = function_behind(process_frame)  # a decorator's wrapper has the names of the decorator's module
    if getattr(function, "__module__", None) != "__main__":
        return {}
    return cast("Mapping[str, Any]", getattr(function, "__globals__", {}))


class Redefinitions:
    """Finds out whether the notebook has defined a function, or its parameters' class, again."""

    def __init__(self, version: Version) -> None:
        self._name = kernel.global_name(version.hooks.process_frame)
        self.take(version)

    def take(self, version: Version) -> None:
        """Remember the function and the class of a version that was made from the newest function."""
        self._function, self._params_type = version.hooks.process_frame, version.hooks.params_type

    def newer(self, namespace: Mapping[str, Any]) -> Callable[..., Any] | None:
        """Return the function, once, if it or its parameters' class was defined again; else ``None``."""
        function: Callable[..., Any] | None = namespace.get(self._name) if self._name else None
        if function is None:
            return None
        params_type = as_defined_now(self._params_type, namespace)
        if function is self._function and params_type is self._params_type:
            return None
        self._function, self._params_type = function, params_type
        return function


class ComparedFunction:
    """Runs ``version`` on frames that have gone through the stage. If it fails, ``error`` is one sentence on why."""

    def __init__(self, version: Version) -> None:
        self.error = ""
        self._version = version
        self._redefinitions = Redefinitions(version)

    @property
    def name(self) -> str:
        """The function's name in the notebook."""
        return self._version.name

    def follow(self, namespace: Mapping[str, Any]) -> bool:
        """Use the newer function if the notebook has defined it again. Returns whether it has.

        Raises ``ByocKitError`` if the newer one cannot be called; the older one stays.
        """
        function = self._redefinitions.newer(namespace)
        if function is None:
            return False
        try:
            self._version = self._version.with_function(function)
        except ByocKitError as error:
            msg = f"{self.name}: {error}"
            raise ByocKitError(msg) from error
        self._redefinitions.take(self._version)
        return True

    def output(self, result: Processed) -> VideoFrame:
        """Return its output for the same frame, or the input if it failed or withheld the frame."""
        version, frame = self._version, result.source.original()
        try:
            output = version.run_on_copy(frame, result.params)
        except BaseException as error:  # noqa: BLE001  # as in the stage: the error is shown, with the input
            where, said = version.where("process_frame", error), " ".join(text_of(error).split())
            self.error = f"{version.name} failed at {where}: {name_of(error)}: {said}".removesuffix(": ")
            return frame
        self.error = ""
        return output or frame
