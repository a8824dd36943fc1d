"""The preview that plays in a notebook: pictures, transport, a control for each parameter."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from byoc_kit.errors import ByocKitError, text_of
from byoc_kit.frames import VideoFrame
from byoc_kit.params import Params, ParamsError
from byoc_kit.preview import kernel
from byoc_kit.preview.arrived import as_it_came
from byoc_kit.preview.camera import Camera
from byoc_kit.preview.channel import Channel
from byoc_kit.preview.control_panel import ControlPanel, close_whole
from byoc_kit.preview.feed import Feed, noted
from byoc_kit.preview.keeper import Chore, Keeper
from byoc_kit.preview.opening import open_feed
from byoc_kit.preview.pictures import poster
from byoc_kit.preview.player import LastError, Player
from byoc_kit.preview.poster import publish_hidden
from byoc_kit.preview.reel_feed import ReelFeed
from byoc_kit.preview.report import Report
from byoc_kit.preview.sender import Sender, Shot
from byoc_kit.preview.stats import PreviewStats
from byoc_kit.preview.status import Message, StatusBoard
from byoc_kit.preview.version import Version
from byoc_kit.preview.widget import Pictures
from byoc_kit.server.size import Size
from byoc_kit.sources import Reel
from byoc_kit.stage import Processed

logger = logging.getLogger(__name__)

# The poster waits this long for the first frame; a model that takes longer leaves none.
POSTER_PATIENCE_S = 3.0


class LivePreview:
    """Plays ``source`` through ``process_frame`` and shows what the front end has time for.

    What the front end says comes on other threads (JupyterLab's subshells): it only puts values into slots, and what
    may take long, as to open a URL, goes to a thread of its own.
    """

    def __init__(
        self,
        process_frame: Callable[..., Any],
        source: str | Path | Reel,
        *,
        width: int,
        fps: float | None = None,
        size: Size | None = None,
        compare: Callable[..., Any] | None = None,
    ) -> None:
        self._width = width
        self._fps = fps
        self._follows = kernel.global_name(process_frame)
        self._followed = process_frame
        self._is_started = False
        self._opening = ""
        self._camera: Camera | None = None
        self._beside = Version(compare) if compare is not None else None
        version = Version(process_frame)
        feed = self._open(source)
        # From here on nothing is refused: a widget that was made stays in the page until it is closed.
        self._pictures = Pictures(width=width, height=round(width * 9 / 16))
        self._channel = Channel(self._pictures, self._receive)
        self._player = Player(version, feed, self._show, on_event=self._hear, size=size)
        self._board = StatusBoard(lambda: self._report.status())  # noqa: PLW0108  # the report asks the sender, which takes the board
        self._sender = Sender(self._channel, self._board, width=width, on_gone=self._player.rest)
        self._controls = ControlPanel(version.params, self._change)
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="preview-opener")
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="preview-saver")
        self._keeper = Keeper(lambda chore: self._do(chore, self._saver))
        self._report = Report(self._player, self._sender, self._channel.credit, self._keeper, beside=self._beside)
        self._stop_following = kernel.after_each_cell(self.follow)
        self.view = widgets.VBox([self._pictures, self._controls.view])

    @property
    def params(self) -> Params:
        """The parameters as the controls stand."""
        return self._player.params

    @property
    def last_error(self) -> LastError | None:
        """The frame that ``process_frame`` failed on last, and why."""
        return self._player.last_error

    def play(self) -> None:
        """Play, or play on."""
        self._player.play()
        self._tell()

    def pause(self) -> None:
        """Hold the picture; the controls still act on it."""
        self._player.pause()
        self._tell()

    def step(self, frames: int = 1) -> None:
        """Hold the frame so many after the present one; a negative number goes back."""
        self._reel().step(frames)

    def seek(self, frame: int) -> None:
        """Go to a frame by its number, from 0."""
        self._reel().seek(frame)

    def switch(self, source: str | Path | Reel) -> None:
        """Play another source; the present one stays until the first frame of that is there.

        Raises :class:`~byoc_kit.errors.ByocKitError` for what cannot be played.
        """
        self._player.switch(self._open(source))

    def swap(self, process_frame: Callable[..., Any]) -> None:
        """Run another ``process_frame`` from the next frame on, as re-running its cell does.

        Raises :class:`~byoc_kit.errors.ByocKitError` for one that cannot be called; the present one goes on.
        """
        version = self._player.version.followed_by(process_frame)
        self._player.swap(version)
        self._show_params()

    def revert(self) -> None:
        """Bring the last good ``process_frame`` back."""
        if self._player.revert() is not None:
            self._show_params()

    def record(self, *, on: bool = True) -> None:
        """Write what comes in and what comes out to two MP4 files in ``recordings/``, until it is turned off.

        Raises :class:`~byoc_kit.errors.ByocKitError` where that folder cannot be written to.
        """
        if on:
            self._keeper.begin_recording(self._player.version.name, self._player.feed.fps)
            self._say("Recording…")
        else:
            self._keeper.end_recording()
            self._tell()

    def save_golden(self, frames: int = 1, *, lead_in: int = 0) -> None:
        """Keep the next frames, in and out, for a regression notebook: a folder in ``golden/``, without loss.

        ``lead_in`` more come before them, as inputs only, for a function that remembers earlier frames. Held, the
        present frame is kept. Raises :class:`~byoc_kit.errors.ByocKitError` for more than 100 frames.
        """
        self._keeper.keep_golden(self._player.version.name, self._player.feed.name, frames=frames, lead_in=lead_in)
        self._player.feed.again()

    def save_case(self) -> None:
        """Keep the frame that failed last as a test case, in ``cases/``.

        Raises :class:`~byoc_kit.errors.ByocKitError` where none has failed.
        """
        if self.last_error is None:
            msg = "no frame has failed yet, so there is no case to save"
            raise ByocKitError(msg)
        self._keeper.keep_case(self.last_error)

    def close(self) -> None:
        """End the threads and the widgets."""
        atexit.unregister(self.close)
        self._stop_following()
        self._player.close()
        self._sender.close()
        self._opener.shutdown(wait=False, cancel_futures=True)
        self._saver.shutdown()
        self._reporting(self._keeper.close)
        self._controls.close()
        close_whole(self.view)

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        return self._report.stats()

    def follow(self, namespace: Mapping[str, Any]) -> None:
        """Take over what was defined anew under the name of ``process_frame``; called after each cell that ran."""
        function = namespace.get(self._follows) if self._follows else None
        if function is None or function is self._followed:
            self._player.feed.again()  # what process_frame calls, or reads, may be another now
            return
        self._followed = function
        try:
            self.swap(function)
        except ByocKitError as error:
            self._say(f"{error}; the version before goes on")
        else:
            self._say("")  # what was said of a version before is past

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)
        if self._is_started:
            return
        self._is_started = True
        self._sender.start()
        self.play()
        self._controls.free()
        first = self._sender.wait_for_first(POSTER_PATIENCE_S)
        if first is not None:
            right = first.right or first.left
            publish_hidden(poster(first.left.pixels, right.pixels, self._width))
        # After the first picture went out: pyzmq registers then what ends its sending of large messages, and the last
        # registered runs first.
        atexit.register(self.close)

    def _open(self, source: str | Path | Reel) -> Feed:
        return open_feed(source, fps=self._fps, camera=self._new_camera)

    def _new_camera(self) -> Camera:
        self._camera = Camera(lambda content: self._channel.tell(content))  # noqa: PLW0108  # made after its first use
        return self._camera

    def _reel(self) -> ReelFeed:
        feed = self._player.feed
        if not isinstance(feed, ReelFeed):
            msg = f"{feed.name} is live: it can be held, not stepped through; record a stretch, or choose a clip"
            raise ByocKitError(msg)
        return feed

    def _show(self, result: Processed) -> None:
        """Take what the stage made of a frame, on its thread."""
        self._keeper.take(result)
        if not self._player.is_playing:
            self._board.change()  # no later frame would bring the status
        if result.failure is not None:
            self._tell_if_due()
            last = self._sender.last
            if last is not None and last.right is not None:
                return  # the last good frame stays, on both sides, under what is said of the failure
        left = as_it_came(result.source)
        shot = Shot(
            self._output_beside(result) if self._beside else left,
            result.output,
            due_s=time.monotonic() - result.took_s - result.waited_s,
            position=noted(result.source, "position"),
            captured_ms=noted(result.source, "captured_ms"),
        )
        self._sender.offer(shot)

    def _output_beside(self, result: Processed) -> VideoFrame:
        """Return what the function that is compared makes of the same frame."""
        assert self._beside is not None  # noqa: S101  # asked by the caller
        try:
            output = self._beside.run_beside(as_it_came(result.source), result.params)
        except Exception as error:  # noqa: BLE001  # somebody's function: said, and shown as it came in
            self._report.beside_error = f"{self._beside.name} failed: {type(error).__name__}: {text_of(error)}"
            return as_it_came(result.source)
        self._report.beside_error = ""
        return output or as_it_came(result.source)

    def _show_params(self) -> None:
        """Have the controls show what the next frame sees; what was refused is gone from them."""
        self._controls.show(self._player.params)
        self._report.params_errors.clear()
        self._tell()

    def _change(self, name: str, value: Any) -> None:
        try:
            self._player.update({name: value})
        except ParamsError as error:
            self._report.params_errors[name] = str(error)
        else:
            self._report.params_errors.pop(name, None)
        self._tell()

    def _receive(self, content: Message, data: bytes | None) -> None:
        """Take what the front end says."""
        kind = content.get("kind")
        if kind == "ack":
            for picture in content["pictures"]:
                if picture["drawn"]:
                    self._sender.on_drawn(int(picture["number"]), picture)
            self._player.wake()
            self._sender.wake()
        elif kind in ("camera-frame", "camera-refused") and self._camera is not None:
            self._camera.receive(content, data)
        elif kind == "command":
            self._obey(str(content.get("name")), content.get("value"))
        elif kind == "ready":
            self._player.wake()
            self._controls.free()
            if self._camera is not None:
                self._camera.resume()
            self._tell()
            self._sender.again()

    def _obey(self, name: str, value: Any) -> None:
        """Do what a person wants; what is wrong with it is said in the widget."""
        try:
            _COMMANDS[name](self, value)
        except ByocKitError as error:
            self._say(str(error))

    def _switch_at_leisure(self, source: str) -> None:
        self._opening = f"Opening {source}…"
        self._say(self._opening)
        self._do(lambda: self.switch(source), self._opener)

    def _do(self, chore: Chore, thread: Executor) -> None:
        """Have a chore run beside what plays."""
        with suppress(RuntimeError):  # closed meanwhile
            thread.submit(self._reporting, chore)

    def _reporting(self, chore: Chore) -> None:
        """Run a chore; what it returns, or what goes wrong, is said in the widget."""
        try:
            said = chore()
        except ByocKitError as error:
            said = str(error)
        except Exception as error:
            logger.exception("a chore of the preview failed")
            said = f"that failed: {type(error).__name__}: {error}"
        if said is not None:
            self._say(said)

    def _hear(self) -> None:
        """Take note of what the player says between results."""
        refused = self._player.take_refusal()
        if refused or self._report.notice == self._opening:
            self._report.notice = refused
        self._tell()

    def _say(self, notice: str) -> None:
        self._report.notice = notice
        self._tell()

    def _tell(self) -> None:
        """Send the status now."""
        self._board.change()
        self._tell_if_due()

    def _tell_if_due(self) -> None:
        status = self._board.take()
        if status is not None:
            self._channel.tell({"kind": "status", "status": status})


_COMMANDS: dict[str, Callable[[LivePreview, Any], None]] = {
    "play": lambda preview, _: preview.play(),
    "pause": lambda preview, _: preview.pause(),
    "step": lambda preview, frames: preview.step(int(frames)),
    "seek": lambda preview, frame: preview.seek(int(frame)),
    "speed": lambda preview, speed: preview._reel().set_speed(float(speed)),  # noqa: SLF001
    "loop": lambda preview, is_looping: preview._reel().set_looping(bool(is_looping)),  # noqa: SLF001
    "source": lambda preview, source: preview._switch_at_leisure(str(source)),  # noqa: SLF001
    "revert": lambda preview, _: preview.revert(),
    "record": lambda preview, _: preview.record(on=not preview._keeper.is_recording),  # noqa: SLF001
    "save_golden": lambda preview, _: preview.save_golden(),
    "save_case": lambda preview, _: preview.save_case(),
}
