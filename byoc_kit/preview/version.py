"""One version of a notebook's ``process_frame``, with the hooks that the notebook has beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import VideoFrame
from byoc_kit.params import Params, ParamsError, params_error
from byoc_kit.preview import kernel
from byoc_kit.preview.feed import fresh
from byoc_kit.processor import FrameProcessor, Hook, Hooks, function_behind

_OPTIONAL = ("load_model", "on_stream_start", "on_stream_stop")


class Version(FrameProcessor):
    """Runs ``load_model`` and ``on_stream_start`` before its first frame, as the container does.

    ``has_run`` are the hooks that earlier versions have run already: a model is not loaded anew because another cell
    was edited. Raises :class:`ByocKitError` for a ``process_frame`` that cannot be called, or whose parameters have no
    defaults.
    """

    def __init__(self, process_frame: Callable[..., Any], *, has_run: set[Hook | None] | None = None) -> None:
        hooks = Hooks.of(process_frame, **_hooks_beside(process_frame))
        try:
            super().__init__(hooks)
        except ValidationError as error:
            msg = f"{hooks.params_type.__name__} needs a default for each field, so that a stream can start: "
            raise ByocKitError(msg + str(params_error(error))) from error
        self.source_map = kernel.source_map(hooks.user_file)
        self._has_run: set[Hook | None] = set() if has_run is None else has_run
        self._is_other_stream = False

    @property
    def name(self) -> str:
        """What the notebook calls its function."""
        function = self.hooks.process_frame
        return str(getattr(function, "__name__", type(function).__name__))

    def followed_by(self, process_frame: Callable[..., Any]) -> Version:
        """Return the version that comes after this one, in the same notebook."""
        return Version(process_frame, has_run=self._has_run)

    def process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run the hooks that have not run yet, then ``process_frame``; raises what they raise."""
        if self._is_other_stream:
            self._is_other_stream = False
            self.end_stream()
        self._run_once(self.hooks.load_model, self.load)
        self._run_once(self.hooks.on_stream_start, lambda: self.start_stream(params))
        return super().process(frame, params)

    def run_beside(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run it on a frame that another version has, too, with what fits it of that one's parameters."""
        return self.process(fresh(frame), self.carried_over(params))

    def carried_over(self, params: Params) -> Params:
        """Return its parameters with the values that fit it too; those that do not are its defaults."""
        carried = self.params
        for name, value in params:
            if name in type(carried).model_fields:
                with suppress(ParamsError):
                    carried = carried.updated({name: value})
        return carried

    def begin_stream(self) -> None:
        """Have the stream's hooks run before the next frame: another source is another stream."""
        self._is_other_stream = True

    def end_stream(self) -> None:
        """Run ``on_stream_stop`` where a stream has begun."""
        start = self.hooks.on_stream_start
        if start is None or start in self._has_run:
            self.stop_stream()
        self._has_run.discard(start)

    def _run_once(self, hook: Hook | None, run: Callable[[], None]) -> None:
        if hook is not None and hook not in self._has_run:
            run()
            self._has_run.add(hook)


def _hooks_beside(process_frame: Callable[..., Any]) -> dict[str, Hook]:
    """Return the other hooks of the notebook that ``process_frame`` was written in."""
    function = function_behind(process_frame)  # a decorator's wrapper has the names of the decorator's module
    if getattr(function, "__module__", None) != "__main__":
        return {}
    namespace = getattr(function, "__globals__", {})
    return {name: namespace[name] for name in _OPTIONAL if callable(namespace.get(name))}
