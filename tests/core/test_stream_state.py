import gc
import threading
import weakref

import numpy as np
import pytest

import byoc_kit
from byoc_kit import ByocKitError, Stage, VideoFrame, stream_state
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.run_frames import run_frames
from byoc_kit.core.stream_state import StreamStates


def frames(count):
    return [VideoFrame.from_pixels(np.zeros((4, 6, 3), np.uint8), number) for number in range(count)]


class Counting:
    """Hooks that count a stream's frames in its state, and note the count at its end."""

    def __init__(self):
        self.ended = []
        self.states = []

    def hooks(self):
        def on_stream_start(params):
            assert vars(stream_state()) == {}
            stream_state().frames = 0
            self.states.append(weakref.ref(stream_state()))

        def process_frame(frame):
            stream_state().frames += 1
            return frame

        return Hooks.of(
            process_frame,
            on_stream_start=on_stream_start,
            on_stream_stop=lambda: self.ended.append(stream_state().frames),
        )


@pytest.mark.parametrize("call", [lambda: None, lambda: run_frames(with_load_model(stream_state), [], Params(), print)])
def test_outside_of_a_streams_hooks_it_says_where_it_belongs(call):
    with pytest.raises(ByocKitError, match=r"no hook of a stream runs here; call it in process_frame, process_audio, "):
        call() or stream_state()


def with_load_model(load_model):
    return FrameProcessor(Hooks(lambda frame: frame, load_model=load_model))


def test_on_a_thread_of_the_notebook_there_is_none():
    raised = []

    def call():
        try:
            stream_state()
        except ByocKitError as error:
            raised.append(error)

    def process_frame(frame):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        return frame

    processor = FrameProcessor(Hooks(process_frame))
    processor.process(frames(1)[0], Params())
    assert len(raised) == 1


def test_first_values_do_not_replace_what_is_there():
    seen = []

    def process_frame(frame):
        state = stream_state(count=0, before=None)
        state.count += 1
        seen.append((state.count, state.before))
        state.before = frame.pts
        return frame

    run_frames(FrameProcessor(Hooks(process_frame)), frames(3), Params(), lambda _: None)
    assert seen == [(1, None), (2, 0), (3, 1)]


def test_what_is_not_set_yet_is_said_with_what_to_write():
    def process_frame(frame):
        assert getattr(stream_state(), "count", 7) == 7
        return stream_state().count

    with pytest.raises(
        AttributeError, match=r"^stream_state\(\) has no count yet; write stream_state\(count=None\), or "
    ):
        FrameProcessor(Hooks(process_frame)).process(frames(1)[0], Params())


def test_each_stream_begins_with_a_new_one_and_lets_go_of_it():
    counting = Counting()
    processor = FrameProcessor(counting.hooks())
    gc.collect()
    gc.disable()
    try:
        for count in (3, 2):
            run_frames(processor, frames(count), Params(), lambda _: None)
        assert counting.ended == [3, 2]
        assert [state() for state in counting.states] == [None, None]
    finally:
        gc.enable()


def test_a_stream_that_fails_lets_go_of_it_too():
    kept = []

    def on_stream_stop():
        kept.append(weakref.ref(stream_state()))
        raise ValueError

    def run(processor):
        with pytest.raises(ValueError, match=r"^$"):
            run_frames(processor, frames(1), Params(), lambda _: None)

    run(FrameProcessor(Hooks(lambda frame: frame, on_stream_stop=on_stream_stop)))
    gc.collect()  # pytest keeps the exception's frames in a cycle
    assert kept[0]() is None


def test_stages_that_run_the_same_processor_have_one_each():
    seen = []

    def process_frame(frame):
        state = stream_state(first=frame.pts)
        seen.append((frame.pts, state.first))
        return frame

    processor = FrameProcessor(Hooks(process_frame))
    one, other = (Stage(processor, lambda _: None) for _ in range(2))
    with one, other:
        for at, frame in enumerate(frames(20)):
            (one, other)[at % 2].submit(frame)
    assert len(seen) == 20
    assert {first for pts, first in seen if pts % 2} == {1}
    assert {first for pts, first in seen if not pts % 2} == {0}


def test_another_processor_begins_with_a_new_one_in_the_same_stream():
    seen = []

    def noting(name):
        def process_frame(frame):
            state = stream_state(name=name)
            seen.append((name, state.name))
            return frame

        return FrameProcessor(Hooks(process_frame))

    states = StreamStates()
    processors = [noting("a"), noting("b")]
    with states.entered():
        for processor in (*processors, *processors):
            processor.process(frames(1)[0], Params())
    assert seen == [("a", "a"), ("b", "b")] * 2


def test_hooks_that_are_async_have_it_too():
    counts = []

    async def process_frame(frame):
        stream_state(count=0).count += 1
        counts.append(stream_state().count)
        return frame

    run_frames(FrameProcessor(Hooks(process_frame)), frames(2), Params(), lambda _: None)
    assert counts == [1, 2]


async def test_under_pytrickle_each_stream_has_its_own():
    counting = Counting()
    processor = FrameProcessor(counting.hooks())
    for count in (3, 2):
        await processor.on_stream_start({})
        for frame in frames(count):
            await processor.process_video_async(frame)
        await processor.on_stream_stop()
    assert counting.ended == [3, 2]


def test_it_is_a_public_name():
    assert byoc_kit.stream_state is stream_state
