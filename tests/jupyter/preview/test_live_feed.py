import threading

import numpy as np
import pytest
from preview_rig import invert

from byoc_kit import VideoFrame
from byoc_kit.jupyter.preview.live_preview import LivePreview


def test_a_live_source_at_its_end_says_so_and_plays_again(make_live, front_end):
    class Broadcast:
        name = "broadcast"
        times = 0

        def frames(self):
            self.times += 1
            yield VideoFrame.from_pixels(np.zeros((8, 8, 3), np.uint8))

        def close(self):
            pass

    broadcast = Broadcast()
    live = make_live(invert, broadcast)
    live.play()
    status = front_end.wait_for_status(lambda status: status["state"]["has_ended"])
    said = "broadcast has ended. Play opens it again."
    assert (status["error"], status["notice"], status["is_warning"]) == (None, said, False)
    before = live._player.feed
    front_end.command(live, "play")
    front_end.wait_for_status(lambda _: live._player.feed is not before)
    assert broadcast.times == 2


@pytest.mark.parametrize("begin_anew", [LivePreview.pause, LivePreview.play])
def test_there_is_no_badge_until_the_pace_of_a_live_source_is_known(make_live, front_end, begin_anew):
    class Camera:
        name = "camera"
        is_closed = threading.Event()

        def frames(self):
            while not self.is_closed.wait(0.01):
                yield VideoFrame.from_pixels(np.zeros((8, 8, 3), np.uint8))

        def close(self):
            self.is_closed.set()

    live = make_live(invert, Camera(), fps=None)
    live.play()
    front_end.wait_for_number(5)
    assert live.stats().budget is None
    live._player.arrivals._started_s -= 60
    assert live.stats().budget is not None
    begin_anew(live)
    assert live.stats().budget is None
