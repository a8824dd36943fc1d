"""From the hooks of a notebook to a pytrickle ``FrameProcessor``.

The same object runs in the notebook, in the container and under the stock ``pytrickle.StreamServer``.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pytrickle.frame_processor import FrameProcessor as PytrickleFrameProcessor

from byoc_kit.errors import ByocKitError
from byoc_kit.frames import AudioFrame, PytrickleVideoFrame, VideoFrame, as_frame
from byoc_kit.params import Params
from byoc_kit.sourcemap import SourceMap

Hook = Callable[..., Any]

OPTIONAL_HOOKS = ("load_model", "on_stream_start", "on_stream_stop")


@dataclass(frozen=True)
class Hooks:
    """What a notebook defines, found by name. Each function may be sync or async; only ``process_frame`` must exist.

    ``process_frame(frame)`` or ``process_frame(frame, params)``; ``load_model()``; ``on_stream_start(params)``;
    ``on_stream_stop()``.
    """

    process_frame: Hook
    params_type: type[Params] = Params
    load_model: Hook | None = None
    on_stream_start: Hook | None = None
    on_stream_stop: Hook | None = None

    @classmethod
    def find(cls, namespace: Mapping[str, Any]) -> Hooks:
        """Pick the hooks from a namespace; raises :class:`ByocKitError` if there is no ``process_frame``."""
        process_frame = namespace.get("process_frame")
        if not callable(process_frame):
            msg = "there is no process_frame; define process_frame(frame) or process_frame(frame, params)"
            raise ByocKitError(msg)
        found = {name: namespace[name] for name in OPTIONAL_HOOKS if callable(namespace.get(name))}
        return cls(process_frame, params_type=namespace.get("Params", Params), **found)

    @classmethod
    def of(cls, process_frame: Hook) -> Hooks:
        """Take a lone function, as a notebook has it; its annotation of `params` is their class."""
        if not callable(process_frame):
            msg = f"process_frame must be a function, not {type(process_frame).__name__}"
            raise ByocKitError(msg)
        annotated = list(inspect.signature(process_frame, eval_str=True).parameters.values())[1:2]
        types = [p.annotation for p in annotated if isinstance(p.annotation, type) and issubclass(p.annotation, Params)]
        return cls(process_frame, params_type=types[0] if types else Params)

    @property
    def user_file(self) -> str:
        """The file (or notebook cell) that ``process_frame`` was written in, as tracebacks name it."""
        code = getattr(inspect.unwrap(self.process_frame), "__code__", None)
        return code.co_filename if code else ""


class FrameProcessor(PytrickleFrameProcessor):  # type: ignore[misc]  # pytrickle has no type hints
    """Calls a notebook's hooks. An exported module subclasses it and sets ``hooks``."""

    hooks: ClassVar[Hooks]
    source_map: SourceMap | None = None

    def __init__(self, hooks: Hooks | None = None) -> None:
        super().__init__()
        if hooks is not None:
            self.hooks = hooks  # type: ignore[misc]  # an instance made in a notebook brings its own
        self.params = self.hooks.params_type()
        self._takes_params = _takes_params(self.hooks.process_frame)
        self._executor: ThreadPoolExecutor | None = None

    def process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run ``process_frame`` on the calling thread, without gradients; ``None`` drops the frame.

        Raises what ``process_frame`` raises, and :class:`~byoc_kit.frames.FrameError` for a result that is no picture.
        """
        arguments = (frame, params) if self._takes_params else (frame,)
        with torch.inference_mode():
            return as_frame(_finish(self.hooks.process_frame(*arguments)), frame)

    def start_stream(self, params: Params) -> None:
        """Run ``on_stream_start(params)`` where the notebook has one."""
        if self.hooks.on_stream_start:
            _finish(self.hooks.on_stream_start(params))

    def stop_stream(self) -> None:
        """Run ``on_stream_stop()`` where the notebook has one."""
        if self.hooks.on_stream_stop:
            _finish(self.hooks.on_stream_stop())

    # What stock pytrickle calls.

    async def load_model(self, **_: Any) -> None:
        """Run ``load_model()`` on a thread, so that ``/health`` answers meanwhile."""
        if self.hooks.load_model:
            hook = self.hooks.load_model
            await asyncio.to_thread(lambda: _finish(hook()))

    async def process_video_async(self, frame: PytrickleVideoFrame) -> VideoFrame | None:
        """Run :meth:`process` on the processor's own thread."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="process_frame")
        own = frame if isinstance(frame, VideoFrame) else VideoFrame(frame.tensor, frame.timestamp, frame.time_base)
        return await asyncio.get_running_loop().run_in_executor(self._executor, self.process, own, self.params)

    async def process_audio_async(self, frame: AudioFrame) -> list[AudioFrame]:
        """Let the sound through as it came."""
        return [frame]

    async def update_params(self, params: dict[str, Any]) -> None:
        """Check and apply a change; raises :class:`~byoc_kit.params.ParamsError` and keeps the last good values."""
        self.params = self.params.updated(params)

    async def on_stream_start(self, params: dict[str, Any]) -> None:
        """Apply the stream's parameters and run the notebook's hook."""
        self.params = self.hooks.params_type().updated(params)
        await asyncio.to_thread(self.start_stream, self.params)

    async def on_stream_stop(self) -> None:
        """Run the notebook's hook."""
        await asyncio.to_thread(self.stop_stream)


def _takes_params(process_frame: Hook) -> bool:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional for p in inspect.signature(process_frame).parameters.values()) > 1


def _finish(result: Any) -> Any:
    """Return what a hook returned; an async one is run to its end on this thread."""
    return asyncio.run(result) if inspect.iscoroutine(result) else result
