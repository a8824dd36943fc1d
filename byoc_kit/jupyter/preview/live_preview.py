"""The preview that plays in a notebook: pictures, transport, a control for each parameter."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from typing_extensions import override

from byoc_kit.core.params import Params, ParamsError
from byoc_kit.core.stage import Processed
from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter import kernel
from byoc_kit.jupyter.preview.camera import Camera
from byoc_kit.jupyter.preview.contact_sheet import Poster
from byoc_kit.jupyter.preview.controls import ControlPanel, close_whole
from byoc_kit.jupyter.preview.feed import Feed, as_given, noted
from byoc_kit.jupyter.preview.front_end import FrontEnd, Message, Pictures
from byoc_kit.jupyter.preview.function_version import ComparedFunction, Redefinitions, Version
from byoc_kit.jupyter.preview.interface import Preview
from byoc_kit.jupyter.preview.opening import open_feed
from byoc_kit.jupyter.preview.pictures import side_by_side
from byoc_kit.jupyter.preview.player import LastError, Player
from byoc_kit.jupyter.preview.result_saver import Chore, ResultSaver
from byoc_kit.jupyter.preview.sender import Sender, Shot, StatusBoard
from byoc_kit.jupyter.preview.stats import PreviewStats
from byoc_kit.jupyter.preview.status import StatusReport
from byoc_kit.media.frame_size import Size
from byoc_kit.sources.source import ClipSource
from byoc_kit.system.allocator import freed_memory_goes_back

logger = logging.getLogger(__name__)

SAVED = "a preview of process_frame: run the cell to play"

# The cell waits this long for a first picture to put into the notebook. A later picture replaces it.
POSTER_PATIENCE_S = 3.0
_SHOWN, _COMPARED = "shown", "compared"


class LivePreview(Preview):
    """Plays ``source`` through ``process_frame`` and shows as many frames as the front end has time for.

    Messages of the front end arrive on other threads (JupyterLab's subshells). Their handlers only store values; a task
    that may take long, such as opening a URL, runs on a thread of its own.
    """

    def __init__(
        self,
        version: Version,
        source: str | Path | ClipSource,
        *,
        width: int,
        fps: float | None = None,
        size: Size | None = None,
        compare: Version | None = None,
        params: Params | None = None,
        earlier: Version | None = None,
        notice: str = "",
    ) -> None:
        self._width = width
        self._fps = fps
        self._is_started = False
        self._opening = ""
        self._posters: list[Poster] = []
        self._publishing = threading.Lock()
        self._camera: Camera | None = None
        self._redefinitions = Redefinitions(version)
        self._compared = ComparedFunction(compare) if compare is not None else None
        feed = self._open(source)
        # Nothing is refused from here on: a widget that was made stays in the page until it is closed.
        self._pictures = Pictures(width=width, height=round(width * 9 / 16))
        self._front_end = FrontEnd(self._pictures, self._receive)
        self._player = Player(version, feed, self._show, on_event=self._hear, size=size, params=params, earlier=earlier)
        self._board = StatusBoard(lambda: self._report.status())  # noqa: PLW0108  # the report needs the sender, and the sender takes the board
        self._sender = Sender(self._front_end, self._board, width=width, on_gone=self._rest)
        self._controls = ControlPanel(self._player.params, self._change)
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="preview-opener")
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="preview-saver")
        self._result_saver = ResultSaver(lambda chore: self._do(chore, self._saver))
        self._report = StatusReport(
            self._player, self._sender, self._front_end.ack_window, self._result_saver, compared=self._compared
        )
        self._report.notice = notice
        self._stop_following = kernel.after_each_cell(self.follow)
        self.view = widgets.VBox([self._pictures, self._controls.view])

    @property
    @override
    def params(self) -> Params:
        return self._player.params

    @property
    @override
    def last_error(self) -> LastError | None:
        return self._player.last_error

    @override
    def play(self) -> None:
        if self._player.feed.has_ended:
            self._switch_at_leisure(None)
            return
        self._player.play()
        self._tell()

    @override
    def pause(self) -> None:
        self._player.pause()
        self._tell()

    @override
    def step(self, frames: int = 1) -> None:
        self._player.clip_feed().step(frames)

    @override
    def seek(self, frame: int) -> None:
        self._player.clip_feed().seek(frame)

    @override
    def switch(self, source: str | Path | ClipSource) -> None:
        self._player.switch(self._open(source))

    @override
    def swap(self, process_frame: Callable[..., Any]) -> None:
        self._swap(self._player.version.with_function(process_frame))

    @override
    def revert(self) -> None:
        if self._player.revert() is not None:
            self._show_params()

    @override
    def record(self, *, on: bool = True) -> None:
        if on:
            self._result_saver.begin_recording(self._player.version.name, self._player.feed.fps)
            self._player.wake()
            self._say("Recording…")
        else:
            self._result_saver.end_recording()
            self._tell()

    @override
    def save_golden(self, frames: int = 1, *, lead_in: int = 0) -> None:
        player, count = self._player, frames + lead_in
        self._result_saver.keep_golden(player.version.name, player.feed.name, frames=frames, lead_in=lead_in)
        player.wake()
        if count > 1:
            self._say(f"Keeping {count} frames" + ("…" if player.is_playing else " as soon as it plays: press Play"))
        player.feed.again()

    @override
    def save_case(self) -> None:
        if self.last_error is None:
            msg = "no frame has failed yet, so there is no case to save; to save input frames, use Save as golden"
            raise ByocKitError(msg)
        self._result_saver.keep_case(self.last_error)

    @override
    def close(self) -> None:
        atexit.unregister(self.close)
        self._stop_following()
        with freed_memory_goes_back():
            self._player.close()
            self._sender.close()
        self._opener.shutdown(wait=False, cancel_futures=True)
        self._saver.shutdown()
        self._reporting(self._result_saver.close)
        self._front_end.close()
        self._controls.close()
        close_whole(self.view)

    @override
    def stats(self) -> PreviewStats:
        return self._report.stats()

    def earlier_than(self, version: Version) -> Version | None:
        """Return the last good version with another function, for a preview that takes the place of this one."""
        function = self._player.good_other_than(version.hooks.process_frame)
        if function is None:
            return None
        with suppress(ByocKitError):  # it no longer fits the notebook
            return version.with_function(function)
        return None

    def follow(self, namespace: Mapping[str, Any]) -> None:
        """Use what the notebook has defined again. Called after each cell that ran."""
        self._take_newer(_SHOWN, self._follow_shown, namespace)
        if self._compared is not None:
            self._take_newer(_COMPARED, self._compared.follow, namespace)
        self._player.feed.again()  # what process_frame calls or reads may have changed

    def _take_newer(self, role: str, follow: Callable[[Mapping[str, Any]], bool], namespace: Mapping[str, Any]) -> None:
        """Take a newer version of a function if there is one; if it is refused, say so until another one is taken."""
        try:
            if follow(namespace):
                self._report.refused_versions.pop(role, None)
                self._say("")  # an error of an earlier version no longer matters
        except ByocKitError as error:
            self._report.refused_versions[role] = f"{error}; the version before goes on"
            self._tell()

    def _follow_shown(self, namespace: Mapping[str, Any]) -> bool:
        function = self._redefinitions.newer(namespace)
        if function is None:
            return False
        version = self._player.version.with_function(function)
        self._redefinitions.take(version)
        self._swap(version)
        return True

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        # The text shows if no kernel runs, with the poster below it.
        publish_display_data({**self.view._repr_mimebundle_(), "text/plain": SAVED})
        if not self._is_started:
            self._is_started = True
            self._sender.start()
            self.play()
            self._controls.free()
            self._sender.wait_for_first(POSTER_PATIENCE_S)
            # After the first picture was sent: pyzmq then registers its own exit function for large messages, and the
            # last one registered runs first.
            atexit.register(self.close)
        self._posters.append(Poster())
        self._publish_posters()

    def _publish_posters(self) -> None:
        """Put the last picture into the notebook, or a sentence if there is none yet."""
        with self._publishing:
            shot, picture = self._sender.last, None
            if shot is not None:
                picture = side_by_side(shot.left.view(), (shot.right or shot.left).view(), self._width)
            for poster in self._posters:
                poster.publish(picture)
            if picture is not None:
                self._posters.clear()

    def _open(self, source: str | Path | ClipSource) -> Feed:
        return open_feed(source, fps=self._fps, camera=self._new_camera)

    def _new_camera(self) -> Camera:
        # This may run before the front end is made.
        self._camera = Camera(lambda content: self._front_end.tell(content), before=self._camera)  # noqa: PLW0108
        return self._camera

    def _swap(self, version: Version) -> None:
        self._player.swap(version)
        self._report.refused_versions.pop(_SHOWN, None)
        self._show_params()

    def _show(self, result: Processed) -> None:
        """Take a result of the stage, on the stage's thread."""
        self._result_saver.take(result)
        if not self._player.is_playing:
            self._board.change()  # no later frame will bring the status
        left = result.source.original()
        if result.failure is not None:
            self._tell_if_due()
            if self._has_good_picture_of(noted(left, "stream")):
                return  # both sides show it, below the text about the failure
        shot = Shot(
            self._compared.output(result) if self._compared else left,
            result.output,
            due_s=time.monotonic() - result.took_s - result.waited_s,
            position=noted(left, "position"),
            captured_ms=noted(left, "captured_ms"),
        )
        self._sender.offer(shot)
        if self._posters:
            self._do(self._publish_posters, self._saver)

    def _rest(self) -> None:
        """Hold the frame while no page is open, unless the next frames are to be saved."""
        if not self._result_saver.is_collecting:
            self._player.rest(is_unwatched=lambda: self._front_end.ack_window.is_gone)

    def _has_good_picture_of(self, stream: int) -> bool:
        last = self._sender.last
        return last is not None and last.right is not None and noted(last.left, "stream") == stream

    def _show_params(self) -> None:
        """Make the controls show the parameters that the next frame sees; refused values disappear from them."""
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
        """Take a message of the front end."""
        kind = content.get("kind")
        if kind == "ack":
            for answer in content["pictures"]:
                self._sender.on_answer(answer)
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
        """Do what a person wants. If it fails, the widget says why."""
        try:
            _COMMANDS[name](self, value)
        except ByocKitError as error:
            self._say(str(error), is_warning=True)

    def _switch_at_leisure(self, source: str | None) -> None:
        """Open a source on another thread. Without a source, or with the present one's name, open that again."""
        present = self._player.feed
        self._opening = f"Opening {source or present.name}…"
        self._say(self._opening)
        wanted = present.source if source is None or source == as_given(present) else source
        self._do(lambda: self.switch(wanted), self._opener)

    def _do(self, chore: Chore, thread: Executor) -> None:
        """Run a chore on another thread."""
        with suppress(RuntimeError):  # it was closed meanwhile
            thread.submit(self._reporting, chore)

    def _reporting(self, chore: Chore) -> None:
        """Run a chore. The widget shows the text that it returns, or its error."""
        try:
            said = chore()
        except ByocKitError as error:
            self._say(str(error), is_warning=True)
        except Exception as error:
            logger.exception("a chore of the preview failed")
            self._say(f"that failed: {type(error).__name__}: {error}", is_warning=True)
        else:
            if said is not None:
                self._say(said)

    def _hear(self) -> None:
        """Take the player's news between results."""
        refused = self._player.take_refusal()
        if refused or self._report.notice == self._opening:
            self._report.notice, self._report.is_warning = refused, True
        self._tell()

    def _say(self, notice: str, *, is_warning: bool = False) -> None:
        self._report.notice, self._report.is_warning = notice, is_warning
        self._tell()

    def _tell(self) -> None:
        """Send the status now."""
        self._board.change()
        self._tell_if_due()

    def _tell_if_due(self) -> None:
        status = self._board.take()
        if status is not None:
            self._front_end.tell({"kind": "status", "status": status})


# What the page's buttons and keys ask for
_COMMANDS: dict[str, Callable[[LivePreview, Any], None]] = {
    "play": lambda preview, _: preview.play(),
    "pause": lambda preview, _: preview.pause(),
    "step": lambda preview, frames: preview.step(int(frames)),
    "seek": lambda preview, frame: preview.seek(int(frame)),
    "speed": lambda preview, speed: preview._player.clip_feed().set_speed(float(speed)),  # noqa: SLF001
    "loop": lambda preview, is_looping: preview._player.clip_feed().set_looping(bool(is_looping)),  # noqa: SLF001
    "source": lambda preview, source: preview._switch_at_leisure(source and str(source)),  # noqa: SLF001
    "revert": lambda preview, _: preview.revert(),
    "record": lambda preview, _: preview.record(on=not preview._result_saver.is_recording),  # noqa: SLF001
    "save_golden": lambda preview, _: preview.save_golden(),
    "save_case": lambda preview, _: preview.save_case(),
}
