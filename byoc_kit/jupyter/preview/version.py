"""One version of a notebook's ``process_frame``, with the hooks that the notebook has beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from byoc_kit.background import call_on_thread
from byoc_kit.frames import VideoFrame
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.feed import noted
from byoc_kit.jupyter.preview.outcomes import largest_of
from byoc_kit.params import Params, carried_over
from byoc_kit.processor import FrameProcessor, Hook, Hooks, function_behind
from byoc_kit.sourcemap import cell_name

_OPTIONAL = ("load_model", "on_stream_start", "on_stream_stop")


@dataclass
class Course:
    """What the hooks of a notebook have done so far, whatever version of ``process_frame`` called them.

    A model is not loaded anew because another cell was edited. ``stream`` is the number of the stream that runs.
    """

    loaded: set[Hook | None] = field(default_factory=set)
    started: set[Hook | None] = field(default_factory=set)
    stream: int | None = None
    is_streaming: bool = False


class Version(FrameProcessor):
    """Runs ``load_model`` and ``on_stream_start`` before its first frame, each on a thread, as the container does.

    A frame that is noted to be of another ``stream`` than the one before ends that stream and begins its own. Raises
    :class:`ByocKitError` for a ``process_frame`` that cannot be called, or whose parameters have no good defaults.
    """

    def __init__(self, process_frame: Callable[..., Any], *, course: Course | None = None) -> None:
        hooks = Hooks.of(process_frame, **_hooks_beside(process_frame))
        hooks = dataclasses.replace(hooks, params_type=as_defined_now(hooks.params_type, _namespace(process_frame)))
        super().__init__(hooks)
        self.source_map = kernel.source_map(hooks.user_file)
        self.largest = 0.0
        self._course = course or Course()

    @property
    def name(self) -> str:
        """What the notebook calls its function."""
        function = self.hooks.process_frame
        return str(getattr(function, "__name__", type(function).__name__))

    @property
    def cell(self) -> str:
        """The run of the cell that the function was written in, as ``In[5]``; empty for one of a module."""
        return (cell_name(self.hooks.user_file) or "").removeprefix("Cell ")

    def followed_by(self, process_frame: Callable[..., Any]) -> Version:
        """Return another version of the same notebook: one that comes after this one, or is compared with it."""
        return Version(process_frame, course=self._course)

    def process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run the hooks that are due, then ``process_frame``; raises what they raise."""
        course = self._course
        stream = noted(frame, "stream")
        if stream != course.stream:
            self.end_stream()
        if self.hooks.load_model not in course.loaded:
            call_on_thread(self.load, name="load_model")
        if self.hooks.on_stream_start not in course.started:
            call_on_thread(partial(self.start_stream, params), name="on_stream_start")
        course.stream, course.is_streaming = stream, True
        return super().process(frame, params)

    def call(self, frame: VideoFrame, params: Params) -> Any:
        """Run ``process_frame``, and take note of the largest value that it returned."""
        returned = super().call(frame, params)
        self.largest = largest_of(returned)
        return returned

    def look_at(self, returned: Any) -> None:
        """Log nothing: the preview shows it."""

    def load(self) -> None:
        """Run ``load_model()``, unless it has run for another version."""
        if self.hooks.load_model not in self._course.loaded:
            super().load()
            self._course.loaded.add(self.hooks.load_model)

    def start_stream(self, params: Params) -> None:
        """Run ``on_stream_start(params)``, and keep in mind that it has run for this stream."""
        super().start_stream(params)
        self._course.started.add(self.hooks.on_stream_start)

    def stop_stream(self) -> None:
        """Run ``on_stream_stop()``; the next frame begins another stream."""
        self._course.is_streaming = False
        self._course.started.clear()
        super().stop_stream()

    def run_beside(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run it on a frame that another version has, too, with what fits it of that one's parameters."""
        return self.process(frame.original(), self.carried_over(params))

    def carried_over(self, params: Params) -> Params:
        """Return its parameters with the values that fit it too; those that do not are its defaults."""
        return carried_over(params, self.hooks.params_type)[0]

    def end_stream(self) -> None:
        """Run ``on_stream_stop`` where a stream has begun."""
        if self._course.is_streaming:
            call_on_thread(self.stop_stream, name="on_stream_stop")


def as_defined_now(params_type: type[Params], namespace: Mapping[str, Any]) -> type[Params]:
    """Return the class that the notebook has under the name of this one: its cell may have run again, on its own."""
    now = namespace.get(params_type.__name__)
    is_the_notebooks = params_type.__module__ == "__main__" and params_type.__qualname__ == params_type.__name__
    is_class = isinstance(now, type) and issubclass(now, Params)
    return cast("type[Params]", now) if is_the_notebooks and is_class else params_type


def _hooks_beside(process_frame: Callable[..., Any]) -> dict[str, Hook]:
    """Return the other hooks of the notebook that ``process_frame`` was written in."""
    namespace = _namespace(process_frame)
    return {name: namespace[name] for name in _OPTIONAL if callable(namespace.get(name))}


def _namespace(process_frame: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the names of the notebook that a function was written in; none for a function of a module."""
    function = function_behind(process_frame)  # a decorator's wrapper has the names of the decorator's module
    if getattr(function, "__module__", None) != "__main__":
        return {}
    return cast("Mapping[str, Any]", getattr(function, "__globals__", {}))
