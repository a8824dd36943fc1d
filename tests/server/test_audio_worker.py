import gc
import threading
import weakref
from queue import Queue

import av
import numpy as np
import pytest

from byoc_kit.core.audio import from_av_audio
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.server.audio_worker import _MAX_WAITING, AudioWorker

DEADLINE_S = 10


def sound(pts=0):
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48_000, pts
    return from_av_audio(frame)


def worker_of(process_audio, sink):
    processor = FrameProcessor(Hooks(lambda frame: frame, process_audio=process_audio))
    return AudioWorker(processor, sink, params=Params, publish=None, states=StreamStates(), name="sound-s1")


@pytest.fixture
def held():
    """A worker at its first frame, the event that lets it go on, and what has come out of it."""
    entered, released, out = threading.Event(), threading.Event(), []

    def process_audio(frame):
        entered.set()
        assert released.wait(DEADLINE_S)
        return frame

    worker = worker_of(process_audio, out.append)
    worker.start()
    worker.submit(sound())
    assert entered.wait(DEADLINE_S)
    yield worker, released, out
    released.set()
    assert worker.close(DEADLINE_S)


def test_what_waits_at_close_is_all_processed_however_often_close_is_called(held):
    worker, released, out = held
    for pts in range(1, _MAX_WAITING):
        worker.submit(sound(pts))
    assert not worker.close(timeout_s=0)
    assert not worker.close(timeout_s=0)
    released.set()
    assert worker.close(DEADLINE_S)
    assert [frame.timestamp for frame in out] == list(range(_MAX_WAITING))
    assert worker.late == 0


def test_sound_that_finds_no_room_is_counted_as_late(held):
    worker, _, _ = held
    for pts in range(1, _MAX_WAITING + 4):
        worker.submit(sound(pts))
    assert worker.late == 3


def test_an_abandoned_worker_lets_go_of_what_waits(held):
    worker, released, out = held
    worker.submit(sound(1))
    worker.abandon()
    released.set()
    assert worker.close(DEADLINE_S)
    assert len(out) <= 1


def test_the_failures_of_another_processor_begin_anew_and_are_logged_again(caplog):
    def process_audio(frame):
        raise ValueError("no ears")

    out = Queue()
    worker = worker_of(process_audio, out.put)
    worker.start()
    worker.submit(sound())
    out.get(timeout=DEADLINE_S)
    worker.swap(FrameProcessor(Hooks(lambda frame: frame, process_audio=process_audio)))
    assert worker.failures == []
    worker.submit(sound(1))
    assert worker.close(DEADLINE_S)
    assert [failure.count for failure in worker.failures] == [1]
    assert len(caplog.records) == 2


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_goes_with_its_last_user(fails, monkeypatch):
    def process_audio(frame):
        if fails:
            raise ValueError("no ears")
        return frame

    monkeypatch.setattr(
        "byoc_kit.server.audio_worker.logger.disabled", True
    )  # pytest keeps what is logged, traceback and all
    gc.disable()
    try:
        worker, never_started = (worker_of(process_audio, lambda frame: None) for _ in range(2))
        worker.start()
        worker.submit(sound())
        assert worker.close(DEADLINE_S)
        left = [weakref.ref(worker), weakref.ref(never_started)]
        del worker, never_started
        assert [ref() for ref in left] == [None, None]
    finally:
        gc.enable()
