import asyncio
import gc
import logging
import threading
from fractions import Fraction

import numpy as np
import pytest
import torch
from pydantic import Field
from pytrickle import StreamServer, TrickleClient
from pytrickle.frames import VideoFrame as StockVideoFrame

from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params, ParamsError
from byoc_kit.core.pixels import FrameError
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.source_map import CellSpan, SourceMap


class Gain(Params):
    gain: float = Field(default=1.0, ge=0, le=2)


def keep(frame):
    return frame


def amplify(frame, params: Gain):
    return frame.tensor * params.gain


def grey(level=100):
    return VideoFrame.from_pixels(np.full((4, 6, 3), level, np.uint8), pts=7)


def stock_frame(timestamp=7):
    return StockVideoFrame(torch.full((1, 4, 6, 3), 0.5), timestamp, Fraction(1, 30))


# process


def test_process_frame_is_given_the_params_only_where_it_takes_them():
    assert FrameProcessor(Hooks.of(amplify)).process(grey(), Gain(gain=2)).pixels.max() == 200
    assert FrameProcessor(Hooks.of(keep)).process(grey(), Gain(gain=2)).pixels.max() == 100


def test_an_async_process_frame_runs_to_its_end():
    async def later(frame, params):
        await asyncio.sleep(0)
        return frame.tensor * params.gain

    assert FrameProcessor(Hooks.of(later)).process(grey(), Gain(gain=0.5)).pixels.max() == 50


def test_process_frame_runs_without_gradients():
    seen = []

    def look(frame):
        seen.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))
        return frame

    FrameProcessor(Hooks.of(look)).process(grey(), Params())
    assert seen == [(True, False)]
    assert not torch.is_inference_mode_enabled()


def test_an_exception_of_process_frame_comes_through_as_it_is():
    def fail(frame):
        raise LookupError("no model")

    with pytest.raises(LookupError, match="no model"):
        FrameProcessor(Hooks.of(fail)).process(grey(), Params())


def test_a_result_that_is_no_picture_is_refused():
    with pytest.raises(FrameError, match="not str"):
        FrameProcessor(Hooks.of(lambda frame: "done")).process(grey(), Params())


def test_none_drops_the_frame():
    assert FrameProcessor(Hooks.of(lambda frame: None)).process(grey(), Params()) is None


def test_an_exported_module_sets_the_hooks_on_its_class():
    class Exported(FrameProcessor):
        hooks = Hooks.of(amplify)

    assert Exported().params == Gain()
    assert FrameProcessor(Hooks.of(keep)).params == Params()


# What stock pytrickle calls


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_stream_hooks_run_off_the_event_loop_with_the_streams_params(is_async):
    calls = []

    def note(name):
        def call(*arguments):
            calls.append((name, *arguments))
            assert threading.current_thread() is not threading.main_thread()

        async def call_async(*arguments):
            call(*arguments)

        return call_async if is_async else call

    names = ("load_model", "on_stream_start", "on_stream_stop")
    processor = FrameProcessor(Hooks(amplify, Gain, **{name: note(name) for name in names}))
    await processor.load_model(device="cpu")
    await processor.on_stream_start({"gain": 0.5})
    await processor.on_stream_stop()
    assert calls == [("load_model",), ("on_stream_start", Gain(gain=0.5)), ("on_stream_stop",)]


async def test_a_processor_without_stream_hooks_starts_and_stops():
    processor = FrameProcessor(Hooks.of(keep))
    await processor.load_model()
    await processor.on_stream_start({})
    await processor.on_stream_stop()
    assert processor.params == Params()


async def test_a_stream_does_not_inherit_the_params_of_the_last():
    processor = FrameProcessor(Hooks.of(amplify))
    await processor.update_params({"gain": 2})
    await processor.on_stream_start({})
    assert processor.params == Gain()


@pytest.mark.parametrize("wrong", [{"gain": 3}, {"gian": 1}])
async def test_a_failing_update_keeps_the_last_good_params(wrong):
    processor = FrameProcessor(Hooks.of(amplify))
    await processor.update_params({"gain": 0.5})
    with pytest.raises(ParamsError, match=next(iter(wrong))):
        await processor.update_params(wrong)
    assert processor.params == Gain(gain=0.5)


async def test_a_stock_frame_comes_back_with_its_time_and_a_tensor_that_stock_can_encode():
    processor = FrameProcessor(Hooks.of(amplify))
    await processor.update_params({"gain": 2})
    frame = await processor.process_video_async(stock_frame())
    assert isinstance(frame, StockVideoFrame)
    assert (frame.timestamp, frame.time_base) == (7, Fraction(1, 30))
    assert (frame.tensor.shape, frame.tensor.dtype) == ((1, 4, 6, 3), torch.float32)
    assert frame.tensor.max() == 1.0


async def test_the_event_loop_stays_free_while_process_frame_blocks():
    may_end = threading.Event()

    def block(frame):
        assert may_end.wait(10)
        return frame

    processing = asyncio.create_task(FrameProcessor(Hooks.of(block)).process_video_async(stock_frame()))
    await asyncio.sleep(0)
    may_end.set()  # never reached while the loop is blocked
    assert await processing is not None


async def test_every_frame_runs_on_the_same_thread():
    threads = []
    processor = FrameProcessor(Hooks.of(lambda frame: threads.append(threading.current_thread())))
    for _ in range(3):
        await processor.process_video_async(stock_frame())
    assert len(set(threads)) == 1
    assert threads[0].name.startswith("process_frame")


async def test_the_thread_of_process_frame_holds_up_no_end_and_ends_with_its_processor():
    threads = []
    processor = FrameProcessor(Hooks.of(lambda frame: threads.append(threading.current_thread())))
    await processor.process_video_async(stock_frame())
    assert threads[0].daemon  # the interpreter waits for no such thread, however long its frame takes
    del processor
    gc.collect()
    await asyncio.to_thread(threads[0].join, 10)
    assert not threads[0].is_alive()


async def test_sound_goes_through_as_it_came():
    sound = object()
    assert await FrameProcessor(Hooks.of(keep)).process_audio_async(sound) == [sound]


@pytest.mark.parametrize("is_async", [False, True])
async def test_process_audio_gets_the_params_and_runs_without_gradients(is_async):
    seen = []

    def louder(frame, params: Gain):
        seen.append((params, torch.is_inference_mode_enabled()))
        return frame.samples * params.gain

    async def later(frame, params: Gain):
        return louder(frame, params)

    processor = FrameProcessor(Hooks.of(keep, process_audio=later if is_async else louder))
    processor.params = Gain(gain=2.0)
    sound = AudioFrame.from_tensor(torch.full((2, 8), 0.25), format="fltp", layout="stereo")
    [result] = await processor.process_audio_async(sound)
    assert (result.samples.tolist(), result.timestamp) == ([[0.5] * 8] * 2, sound.timestamp)
    assert seen == [(Gain(gain=2.0), True)]


async def test_what_an_async_hook_leaves_behind_the_next_one_finds_alive():
    async def load_model():
        left["loop"] = asyncio.get_running_loop()
        left["task"] = asyncio.create_task(asyncio.sleep(3600))

    async def process_frame(frame):
        left["is_same"] = left["loop"] is asyncio.get_running_loop()
        left["is_alive"] = left["task"].cancel()
        left["is_inference"] = torch.is_inference_mode_enabled()
        return frame

    left = {}
    processor = FrameProcessor(Hooks.of(process_frame, load_model=load_model))
    await processor.load_model()
    await processor.process_video_async(stock_frame())
    assert (left["is_same"], left["is_alive"], left["is_inference"]) == (True, True, True)


class MemoryProtocol:
    """The transport of a stock TrickleClient: frames from a list, results to a list."""

    error_callback = None
    fps_meter = None

    def __init__(self, frames):
        self.frames = frames
        self.results = []

    async def start(self): ...

    async def stop(self): ...

    async def publish_data(self, data): ...

    async def ingress_loop(self, stop):
        for frame in self.frames:
            yield frame

    async def egress_loop(self, outputs):
        async for output in outputs:
            self.results.append(output)
        await self.error_callback("subscription_ended", None)

    async def control_loop(self, stop):
        await stop.wait()
        return
        yield


async def test_a_stock_client_runs_the_processor_from_start_to_stop(caplog):
    caplog.set_level(logging.ERROR)
    calls = []
    hooks = Hooks(amplify, Gain, on_stream_start=calls.append, on_stream_stop=lambda: calls.append("stopped"))
    protocol = MemoryProtocol([stock_frame(timestamp) for timestamp in range(5)])
    client = TrickleClient(protocol=protocol, frame_processor=FrameProcessor(hooks))
    async with asyncio.timeout(30):
        await client.start("request", {"gain": 0.0})
    assert [result.timestamp for result in protocol.results] == [0, 1, 2, 3, 4]
    assert {float(result.tensor.max()) for result in protocol.results} == {0.0}
    assert calls == [Gain(gain=0.0), "stopped"]
    assert not caplog.records


async def test_a_stock_server_takes_the_processor_and_its_control_messages(caplog):
    processor = FrameProcessor(Hooks.of(amplify))
    server = StreamServer(frame_processor=processor)
    assert processor.state is server.state
    await processor.ensure_model_loaded()
    await server._handle_control_message({"gain": 0.5})
    await server._handle_control_message({"gain": 3})
    assert processor.params == Gain(gain=0.5)
    assert "gain: Input should be less than or equal to 2" in caplog.text


EXPORTED = """\
def process_frame(frame): ...

def load_model():
    {}["weights"]

def process_audio(frame):
    return "no sound"
"""


def exported():
    """The processor of an exported module, whose hooks begin a cell each."""
    made = {}
    exec(compile(EXPORTED, "processor.py", "exec"), made)  # noqa: S102
    names = ("process_frame", "load_model", "process_audio")
    processor = FrameProcessor(Hooks.of(**{name: made[name] for name in names}))
    processor.source_map = SourceMap("effects.ipynb", [CellSpan(4, 3, 2), CellSpan(5, 6, 2)])
    return processor


def test_an_exception_of_any_hook_is_reported_with_cell_and_line():
    processor = exported()
    with pytest.raises(KeyError) as raised:
        processor.load()
    said = "load_model failed at effects.ipynb, cell 4, line 2: KeyError: 'weights'"
    assert processor.said("load_model", raised.value) == said


def test_a_wrong_result_is_of_the_hooks_return():
    processor = exported()
    with pytest.raises(FrameError) as raised:
        processor.process_audio(AudioFrame.from_tensor(torch.zeros(2, 8), format="fltp", layout="stereo"), Params())
    assert processor.where("process_audio", raised.value) == "effects.ipynb, cell 5, line 2"


@pytest.mark.parametrize(
    "made", [lambda frame: frame.tensor * 255, lambda frame: frame.replace(tensor=frame.tensor * 255)]
)
def test_a_tensor_of_0_to_255_is_reported_once_a_stream(caplog, made):
    processor = FrameProcessor(Hooks.of(made))
    for _ in range(2):
        processor.start_stream(processor.params)
        for level in (0, 200, 200):  # a stream may begin in black
            processor.process(grey(level), processor.params)
    said = "process_frame: the tensor goes up to 200, and frames are 0 to 1: divide it by 255"
    assert [record.message for record in caplog.records] == [said, said]


@pytest.mark.parametrize("made", [keep, lambda frame: frame.tensor * 4, lambda frame: frame.pixels])
def test_of_a_tensor_of_0_to_1_nothing_is_reported(caplog, made):
    processor = FrameProcessor(Hooks.of(made))
    processor.start_stream(processor.params)
    processor.process(grey(255), processor.params)
    assert caplog.records == []
