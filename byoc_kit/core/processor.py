"""Makes a pytrickle ``FrameProcessor`` of a notebook's hooks.

The same object runs in the notebook, in the container and under the stock ``pytrickle.StreamServer``.
"""

from __future__ import annotations

import dis
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType
from typing import Any, ClassVar, TypeVar, cast, get_args

import torch
from pytrickle.frame_processor import FrameProcessor as PytrickleFrameProcessor

from byoc_kit.core.audio import as_audio_frames
from byoc_kit.core.frames import AudioFrame, PytrickleVideoFrame, VideoFrame, as_frame, floating_tensor, said_of_scale
from byoc_kit.core.params import Params, default_params
from byoc_kit.core.source_map import SourceMap, locate
from byoc_kit.errors import ByocKitError, name_of, text_of
from byoc_kit.system.threads import LoopThread, OwnThread, on_thread

_making = threading.Lock()
Hook = Callable[..., Any]
# The first frames may be black; to check one takes some 20 µs.
_OUTPUTS_TO_CHECK = 30
_SAMPLES_A_SIDE = 8

logger = logging.getLogger(__name__)
T = TypeVar("T")


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a hook's coroutine, without gradients, and return or raise what it does. Blocks."""
    with _making:
        loop = _hook_loop()
    return loop.run(work)


@cache
def _hook_loop() -> LoopThread:
    # A mode of the thread: entered around each hook it would leak to those beside it.
    return LoopThread("async hooks", within=torch.inference_mode)


@dataclass(frozen=True)
class Hooks:
    """The functions that a notebook defines. Each may be sync or async; only ``process_frame`` must exist.

    Parameters
    ----------
    process_frame : callable
        ``process_frame(frame)`` or ``process_frame(frame, params)``. It takes a ``VideoFrame`` and returns one, or
        pixels, or a tensor, or ``None`` to drop the frame.
    params_type : type, optional
        The class of the parameters.
    load_model : callable, optional
        ``load_model()``, run once before the first stream.
    process_audio : callable, optional
        ``process_audio(frame)`` or ``process_audio(frame, params)``, for an ``AudioFrame``.
    on_stream_start, on_stream_stop : callable, optional
        ``on_stream_start(params)`` and ``on_stream_stop()``, run around each stream.

    Examples
    --------
    >>> import byoc_kit
    >>> def process_frame(frame):
    ...     return frame.replace(pixels=255 - frame.pixels)
    >>> hooks = byoc_kit.Hooks.of(process_frame)
    >>> hooks.params_type
    <class 'byoc_kit.core.params.Params'>
    """

    process_frame: Hook
    params_type: type[Params] = Params
    load_model: Hook | None = None
    process_audio: Hook | None = None
    on_stream_start: Hook | None = None
    on_stream_stop: Hook | None = None

    @classmethod
    def of(cls, process_frame: Hook, **optional: Hook) -> Hooks:
        """Take a notebook's functions.

        The parameters' class is the annotation of ``params``, else the ``Params`` of the notebook.

        Parameters
        ----------
        process_frame : callable
            It takes a frame, and ``params`` if it wants them.
        **optional : callable
            The other hooks, by their names.

        Raises
        ------
        ByocKitError
            If ``process_frame`` cannot be called with a frame and parameters, or a decorator hides that it takes
            parameters.
        """
        if not callable(process_frame):
            msg = f"process_frame must be a function, not {type(process_frame).__name__}"
            raise ByocKitError(msg)
        _check_signature("process_frame", process_frame)
        _check_not_hidden("process_frame", process_frame)
        if "process_audio" in optional:
            _check_signature("process_audio", optional["process_audio"])
            _check_not_hidden("process_audio", optional["process_audio"])
        return cls(process_frame, params_type=_params_type(process_frame), **optional)

    @property
    def user_file(self) -> str:
        """The file (or notebook cell) that ``process_frame`` was written in, as tracebacks name it."""
        code = _code(self.process_frame)
        return code.co_filename if code else ""


class FrameProcessor(PytrickleFrameProcessor):  # type: ignore[misc]  # pytrickle has no type hints
    """Calls a notebook's hooks. An exported module subclasses it and sets ``hooks``.

    Parameters
    ----------
    hooks : Hooks, optional
        The hooks to call; by default those of the class.

    Raises
    ------
    DefaultError
        If no stream could start with the parameters' defaults.

    Examples
    --------
    >>> import numpy as np
    >>> import byoc_kit
    >>> def process_frame(frame):
    ...     return frame.replace(pixels=255 - frame.pixels)
    >>> processor = byoc_kit.FrameProcessor(byoc_kit.Hooks.of(process_frame))
    >>> black = byoc_kit.VideoFrame.from_pixels(np.zeros((4, 4, 3), np.uint8))
    >>> processor.process(black, processor.params).pixels.mean()
    np.float64(255.0)
    """

    hooks: ClassVar[Hooks]
    source_map: SourceMap | None = None

    def __init__(self, hooks: Hooks | None = None) -> None:
        super().__init__()
        if hooks is not None:
            self.hooks = hooks  # type: ignore[misc]  # an instance made in a notebook brings its own
        self.params = default_params(self.hooks.params_type)
        self._frame_params = _params_name(self.hooks.process_frame)
        self._audio_params = _params_name(self.hooks.process_audio) if self.hooks.process_audio else None
        self._own_thread: OwnThread | None = None
        self._outputs_to_check = _OUTPUTS_TO_CHECK
        self.said_of_scale = ""

    def process(self, frame: VideoFrame, params: Params) -> VideoFrame | None:
        """Run ``process_frame`` on the calling thread, without gradients.

        Parameters
        ----------
        frame : VideoFrame
            The frame to process; ``process_frame`` may write to it.
        params : Params
            The parameters that it sees.

        Returns
        -------
        VideoFrame or None
            ``None`` drops the frame.

        Raises
        ------
        FrameError
            For a result that is no picture. What ``process_frame`` raises comes through as it is.
        """
        with torch.inference_mode():
            returned = self.call(frame, params)
            if self._outputs_to_check:
                self._outputs_to_check -= 1
                self.check_scale(returned)
            return as_frame(returned, frame)

    def call(self, frame: VideoFrame, params: Params) -> Any:
        """Return what ``process_frame`` returns, whatever that is."""
        named = {self._frame_params: params} if self._frame_params else {}
        return _finish(self.hooks.process_frame(frame, **named))

    def check_scale(self, returned: Any) -> None:
        """Log once a stream, by a few samples of its first frames, that a tensor's values are those of bytes.

        What is said stays in ``said_of_scale``.
        """
        tensor = floating_tensor(returned)
        if tensor is None or tensor.dim() < 3:
            return
        rows, columns = (side // _SAMPLES_A_SIDE + 1 for side in tensor.shape[-3:-1])
        said = said_of_scale(float(tensor[..., ::rows, ::columns, :].max()))
        if said:
            self._outputs_to_check = 0
            self.said_of_scale = said
            logger.warning("process_frame: %s", said)

    def process_audio(self, frame: AudioFrame, params: Params) -> list[AudioFrame]:
        """Run ``process_audio`` on the calling thread. Without the hook, return the audio unchanged.

        Raises what the hook raises, and ``FrameError`` for a result that is not audio.
        """
        hook = self.hooks.process_audio
        if hook is None:
            return [frame]
        named = {self._audio_params: params} if self._audio_params else {}
        with torch.inference_mode():
            return as_audio_frames(_finish(hook(frame, **named)), frame)

    def params_with(self, changes: Mapping[str, Any]) -> Params:
        """Return the defaults with ``changes``; raises ``ParamsError`` naming the field."""
        return default_params(self.hooks.params_type).updated(changes)

    def load(self) -> None:
        """Run the notebook's ``load_model()``, if it has one, on the calling thread."""
        if self.hooks.load_model:
            _finish(self.hooks.load_model())

    def start_stream(self, params: Params) -> None:
        """Run the notebook's ``on_stream_start(params)``, if it has one."""
        self._outputs_to_check = _OUTPUTS_TO_CHECK
        if self.hooks.on_stream_start:
            _finish(self.hooks.on_stream_start(params))

    def stop_stream(self) -> None:
        """Run the notebook's ``on_stream_stop()``, if it has one."""
        if self.hooks.on_stream_stop:
            _finish(self.hooks.on_stream_stop())

    def where(self, hook: str, error: BaseException) -> str:
        """Name the user's own line that an exception of a hook came from; see ``locate``."""
        file, line = self.line_of(hook)
        source_map = self.source_map if file == self.hooks.user_file else None
        return locate(error.__traceback__, file, source_map, first_line=line)

    def line_of(self, hook: str) -> tuple[str, int | None]:
        """Return the file of a hook, and the line to name for a wrong result.

        That is the line of its ``return`` if it has exactly one, else its first line.
        """
        code = _code(getattr(self.hooks, hook))
        return (self.hooks.user_file, None) if code is None else (code.co_filename, _return_line(code))

    def said(self, hook: str, error: BaseException) -> str:
        """Return a sentence that says which hook failed, where, and with which exception."""
        return f"{hook} failed at {self.where(hook, error)}: {name_of(error)}: {text_of(error)}"

    # Stock pytrickle calls the methods below.

    async def load_model(self, **_: Any) -> None:
        """Run ``load_model()`` on a thread, so that ``/health`` still answers."""
        if self.hooks.load_model:
            await on_thread(self.load, name="load_model")

    async def process_video_async(self, frame: PytrickleVideoFrame) -> VideoFrame | None:
        """Run ``process`` on the processor's own thread."""
        own = frame if isinstance(frame, VideoFrame) else VideoFrame(frame.tensor, frame.timestamp, frame.time_base)
        return await self._on_own_thread(self.process, own, self.params)

    async def process_audio_async(self, frame: AudioFrame) -> list[AudioFrame]:
        """Run ``process_audio`` on the processor's own thread. Without the hook, return the audio unchanged."""
        if self.hooks.process_audio is None:
            return [frame]
        return await self._on_own_thread(self.process_audio, frame, self.params)

    async def update_params(self, params: dict[str, Any]) -> None:
        """Check and apply a change; raises ``ParamsError`` and keeps the old values if one does not fit."""
        self.params = self.params.updated(params)

    async def on_stream_start(self, params: dict[str, Any]) -> None:
        """Apply the stream's parameters and run the notebook's hook."""
        self.params = self.params_with(params)
        await on_thread(lambda: self.start_stream(self.params), name="on_stream_start")

    async def on_stream_stop(self) -> None:
        """Run the notebook's hook."""
        await on_thread(self.stop_stream, name="on_stream_stop")

    async def _on_own_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._own_thread is None:
            self._own_thread = OwnThread("process_frame")
        return await self._own_thread.run(partial(function, *arguments))


def _parameters(function: Hook) -> list[inspect.Parameter]:
    with suppress(Exception):  # an annotation that only type checkers understand may raise anything
        return list(inspect.signature(function, eval_str=True).parameters.values())
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # most functions that are not written in Python raise this
        name = getattr(function, "__name__", type(function).__name__)
        msg = f"{name} does not say what it takes; wrap it in a function of your own that takes frame"
        raise ByocKitError(msg) from None


def _params_argument(hook: Hook) -> inspect.Parameter | None:
    """Return the argument that takes the parameters: the one annotated with their class, else ``params``."""
    rest = _parameters(hook)[1:]
    annotated = next((p for p in rest if _params_class(p.annotation)), None)
    return annotated or next((p for p in rest if p.name == "params"), None)


def _params_name(hook: Hook) -> str | None:
    argument = _params_argument(hook)
    return argument.name if argument else None


def _params_type(process_frame: Hook) -> type[Params]:
    argument = _params_argument(process_frame)
    if argument is None:
        return Params
    annotated = _params_class(argument.annotation)
    if annotated:
        return annotated
    found = getattr(function_behind(process_frame), "__globals__", {}).get("Params", Params)
    if not _is_params(found):
        msg = "Params must be a class made from byoc_kit.Params: write `class Params(byoc_kit.Params)`"
        raise ByocKitError(msg)
    return cast("type[Params]", found)


def function_behind(hook: Hook) -> Any:
    """Return the function behind a hook, which may be a decorator, a partial, a method or a callable object."""
    hook = inspect.unwrap(hook)
    while isinstance(hook, partial):
        hook = inspect.unwrap(hook.func)
    if inspect.isroutine(hook) or isinstance(hook, type):
        return getattr(hook, "__func__", hook)
    return getattr(type(hook), "__call__", hook)  # noqa: B004  # a call runs this method


def _code(hook: Hook) -> CodeType | None:
    return getattr(function_behind(hook), "__code__", None)


def _return_line(code: CodeType) -> int:
    """Return the line of a function's only ``return``, where a wrong result came from; else its first line."""
    lines = set()
    before = None
    for instruction in dis.get_instructions(code):
        is_end = before is not None and before.opname == "LOAD_CONST" and before.argval is None
        if instruction.opname == "RETURN_VALUE" and not is_end and instruction.positions is not None:
            lines.add(instruction.positions.lineno)
        before = instruction
    line = lines.pop() if len(lines) == 1 else None
    return line or code.co_firstlineno


def _check_signature(name: str, hook: Hook) -> None:
    parameters = _parameters(hook)
    given = _params_argument(hook)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    unknown = [p.name for p in parameters[1:] if p.default is p.empty and p.kind not in variadic and p != given]
    if unknown or not parameters:
        reason = f"nothing is there to give {unknown[0]}" if unknown else "it takes no frame"
        msg = f"{name} cannot be called: {reason}; write {name}(frame) or {name}(frame, params)"
        raise ByocKitError(msg)


def _check_not_hidden(name: str, hook: Hook) -> None:
    """Raise if a hook shows no parameters but wraps a function of the notebook that takes them."""
    kinds = {parameter.kind for parameter in _parameters(hook)}
    if _params_argument(hook) or not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return
    waiting, seen = [hook], set[int]()
    while waiting:
        wrapper = waiting.pop()
        seen.add(id(wrapper))
        for inner in filter(inspect.isfunction, _kept_by(wrapper)):
            if inner.__name__ == name and _params_argument(inner):
                msg = f"{name} takes params, which its decorator hides; put @functools.wraps on what it returns"
                raise ByocKitError(msg)
            if id(inner) not in seen:
                waiting.append(inner)


def _kept_by(wrapper: Any) -> list[Any]:
    """Return the values that a function closes over, or an object's attributes."""
    if not inspect.isfunction(wrapper):
        return list(getattr(wrapper, "__dict__", {}).values())
    kept = []
    for cell in wrapper.__closure__ or ():
        with suppress(ValueError):  # the variable has no value yet
            kept.append(cell.cell_contents)
    return kept


def _params_class(annotation: Any) -> type[Params] | None:
    """Return the parameters' class in an annotation, also in ``Look | None`` and the like."""
    candidates = [annotation, *get_args(annotation)]
    return next((found for found in candidates if _is_params(found)), None)


def _is_params(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Params)


def _finish(result: Any) -> Any:
    """Return a hook's result; if the hook is async, run it to its end first."""
    return run_to_end(result) if inspect.iscoroutine(result) else result
