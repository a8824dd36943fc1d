"""The preview that plays in a notebook: pictures, a button, a control for each parameter."""

from __future__ import annotations

import atexit
from typing import Any

import ipywidgets as widgets

from byoc_kit.params import Params, ParamsError
from byoc_kit.preview import kernel
from byoc_kit.preview.channel import Channel, Message
from byoc_kit.preview.clip import ClipSource
from byoc_kit.preview.controls import lay_out, make_controls
from byoc_kit.preview.pictures import input_pixels, pair, poster
from byoc_kit.preview.player import Player
from byoc_kit.preview.poster import publish_hidden
from byoc_kit.preview.stats import Meter, PreviewStats, failure_sentence, numbers
from byoc_kit.preview.widget import Pictures
from byoc_kit.processor import FrameProcessor
from byoc_kit.stage import Processed

# The poster waits this long for the first frame; a model that takes longer leaves none.
POSTER_PATIENCE_S = 3.0


class LivePreview:
    """Plays ``source`` through ``processor`` and shows what the front end has time for.

    The widgets' callbacks run on other threads (JupyterLab's subshells): they only put values into slots.
    """

    def __init__(self, processor: FrameProcessor, source: ClipSource, *, width: int) -> None:
        self._width = width
        self._shown = Meter()
        self._not_shown = 0
        self._is_stale = False
        self._params_error = ""
        self._has_poster = False
        self._player = Player(processor, source, self._show)
        shown_width = min(width, source.first.width)
        self._pictures = Pictures(
            width=shown_width, height=round(source.first.height * shown_width / source.first.width)
        )
        self._channel = Channel(self._pictures, on_shown=self._on_shown, on_ready=self._on_ready)
        self._button = widgets.Button(layout=widgets.Layout(width="110px"))
        self._button.on_click(lambda _: self.pause() if self._player.is_playing else self.play())
        self._controls = make_controls(self.params, self._change)
        rows = [widgets.HBox([self._button]), *lay_out(self.params, self._controls)]
        self.view = widgets.VBox([self._pictures, *rows])
        self._label_button()

    @property
    def params(self) -> Params:
        """The parameters as the controls stand."""
        return self._player.params

    def play(self) -> None:
        """Play, or play on."""
        self._player.play(on_break=self._tell)
        self._label_button()

    def pause(self) -> None:
        """Hold the picture; the controls still act on it."""
        self._player.source.pause()
        if self._is_stale:
            self._player.source.again()
        self._label_button()

    def close(self) -> None:
        """End the threads and the widgets."""
        atexit.unregister(self._player.close)
        self._player.close()
        for widget in (self.view, *self.view.children):
            widget.close()
            for inner in getattr(widget, "children", ()):
                inner.close()

    def stats(self) -> PreviewStats:
        """Return rates, timings, drops and the last error."""
        player, stage = self._player, self._player.stage.stats()
        return PreviewStats(
            frames_in=stage.frames_in,
            frames_out=stage.frames_out,
            shown=self._shown.count,
            not_shown=self._not_shown,
            in_fps=player.arrivals.rate(),
            processed_fps=player.results.rate(),
            shown_fps=self._shown.rate(),
            process_ms=stage.process_ms,
            drops=stage.drops,
            failures=stage.failures,
            error=self._error(),
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view)
        if self._has_poster:
            return
        self.play()
        self._free_controls()
        first = self._player.wait_for_first(POSTER_PATIENCE_S)
        if first is not None:
            before, after = input_pixels(first.source), first.output or first.source
            publish_hidden(poster(before, after.pixels, self._width))
            self._has_poster = True
        # After the first picture went out: pyzmq registers then what ends its sending of large messages, and the last
        # registered runs first.
        atexit.register(self._player.close)

    def _show(self, result: Processed) -> None:
        self._is_stale = True  # before asking: the answer that opens the credit may come right after
        number = self._channel.credit.take()
        if number is None:
            self._not_shown += 1
            return
        self._is_stale = False
        self._channel.show(number, *pair(result, self._width), self._status())

    def _status(self) -> Message:
        stats = self.stats()
        late = "The browser answers late: showing a few pictures a second until it catches up."
        return {
            "numbers": numbers(stats),
            "error": stats.error,
            "notice": late if self._channel.credit.is_late else "",
        }

    def _error(self) -> str:
        player = self._player
        if self._params_error or player.source.error:
            return self._params_error or player.source.error
        if player.stage.error is not None:
            return f"the preview ended: {player.stage.error}"
        failure = player.recent_failure()
        return failure_sentence(failure) if failure else ""

    def _change(self, name: str, value: Any) -> None:
        try:
            self._player.update({name: value})
        except ParamsError as error:
            self._params_error = str(error)
        else:
            self._params_error = ""
        self._player.source.again()

    def _on_shown(self) -> None:
        self._shown.tick()
        if self._is_stale:
            self._player.source.again()

    def _on_ready(self) -> None:
        self._free_controls()
        self._player.source.again()

    def _free_controls(self) -> None:
        for control in (self._button, *self._controls.values()):
            kernel.let_front_end_choose(control)

    def _tell(self) -> None:
        self._channel.tell(self._status())

    def _label_button(self) -> None:
        is_playing = self._player.is_playing
        self._button.description = "Pause" if is_playing else "Play"
        self._button.icon = "pause" if is_playing else "play"
        self._button.tooltip = "Hold the picture" if is_playing else "Play the clip"
