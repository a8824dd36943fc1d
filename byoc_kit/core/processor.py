"""Makes a pytrickle ``FrameProcessor`` from a notebook's hooks.

The same object runs in the notebook, in the container and under the stock ``pytrickle.StreamServer``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

import torch
from pytrickle.frame_processor import FrameProcessor as PytrickleFrameProcessor

from byoc_kit.core.audio import as_audio_frames
from byoc_kit.core.frames import AudioFrame, PytrickleVideoFrame, VideoFrame, as_frame, floating_tensor
from byoc_kit.core.hooks import Hooks, code_of, finished, params_name, return_line
from byoc_kit.core.params import Params, default_params
from byoc_kit.core.pixels import said_of_scale
from byoc_kit.core.source_map import SourceMap, locate
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.errors import name_of, text_of
from byoc_kit.system.concurrency import OwnThread, on_thread

# The first frames may be black. Checking one takes about 20 µs.
_OUTPUTS_TO_CHECK = 30
_SAMPLES_A_SIDE = 8

logger = logging.getLogger(__name__)
T = TypeVar("T")


def said_of_no_picture(frames: int | None = None) -> str:
    """Say that ``process_frame`` returned no picture, for how many frames if that is known."""
    of_frames = "" if frames is None else f" for all {frames} frames"
    return f"process_frame returned None{of_frames}: no picture goes out; is a `return` missing?"


class FrameProcessor(PytrickleFrameProcessor):  # type: ignore[misc]  # pytrickle has no type hints
    """Calls a notebook's hooks. An exported module subclasses it and sets ``hooks``.

    Parameters
    ----------
    hooks : Hooks, optional
        The hooks to call; by default, those of the class.

    Raises
    ------
    DefaultError
        If the parameters' defaults are not allowed, so that no stream could start.

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
        self._frame_params = params_name(self.hooks.process_frame)
        self._audio_params = params_name(self.hooks.process_audio) if self.hooks.process_audio else None
        self._own_thread: OwnThread | None = None
        self._outputs_to_check = _OUTPUTS_TO_CHECK
        self._states = StreamStates()
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
            If the result is not a picture. An exception that ``process_frame`` raises is passed on unchanged.
        """
        with torch.inference_mode(), self.stream_states.used_by(self.state_owner):
            returned = self.call(frame, params)
            if self._outputs_to_check:
                self._outputs_to_check -= 1
                self.check_scale(returned)
            return as_frame(returned, frame)

    def call(self, frame: VideoFrame, params: Params) -> Any:
        """Run ``process_frame`` and return its result unchecked."""
        named = {self._frame_params: params} if self._frame_params else {}
        return finished(self.hooks.process_frame(frame, **named))

    def check_scale(self, returned: Any) -> None:
        """Log a warning, once a stream, if a tensor seems to have values of 0..255; it looks at a few samples.

        The warning stays in ``said_of_scale``.
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
        with torch.inference_mode(), self.stream_states.used_by(self.state_owner):
            return as_audio_frames(finished(hook(frame, **named)), frame)

    def params_with(self, changes: Mapping[str, Any]) -> Params:
        """Return the defaults with ``changes``; raises ``ParamsError`` naming the field."""
        return default_params(self.hooks.params_type).updated(changes)

    def load(self) -> None:
        """Run the notebook's ``load_model()``, if it has one, on the calling thread."""
        if self.hooks.load_model:
            finished(self.hooks.load_model())

    def start_stream(self, params: Params) -> None:
        """Begin a new ``stream_state``, and run the notebook's ``on_stream_start(params)``, if it has one."""
        self._outputs_to_check = _OUTPUTS_TO_CHECK
        states = self.stream_states
        states.begin(self.state_owner)
        if self.hooks.on_stream_start:
            with states.used_by(self.state_owner):
                finished(self.hooks.on_stream_start(params))

    def stop_stream(self) -> None:
        """Run the notebook's ``on_stream_stop()``, if it has one, and remove the ``stream_state``."""
        states = self.stream_states
        try:
            if self.hooks.on_stream_stop:
                with states.used_by(self.state_owner):
                    finished(self.hooks.on_stream_stop())
        finally:
            states.end(self.state_owner)

    @property
    def stream_states(self) -> StreamStates:
        """The states of the stream: those of the stage, or the processor's own under stock pytrickle."""
        return StreamStates.current() or self._states

    @property
    def state_owner(self) -> Hashable:
        """The owner of the state that the hooks get."""
        return self

    def where(self, hook: str, error: BaseException) -> str:
        """Return the user's own line that an exception of a hook came from, as ``locate`` writes it."""
        file, line = self.line_of(hook)
        source_map = self.source_map if file == self.hooks.user_file else None
        return locate(error.__traceback__, file, source_map, first_line=line)

    def line_of(self, hook: str) -> tuple[str, int | None]:
        """Return the file of a hook, and the line to name for a wrong result.

        This is the line of its ``return`` if it has exactly one, or else its first line.
        """
        code = code_of(getattr(self.hooks, hook))
        return (self.hooks.user_file, None) if code is None else (code.co_filename, return_line(code))

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
        """Check and apply a change. If a value is not allowed, keep the old values and raise ``ParamsError``."""
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
