"""Another processor for a stream that runs."""

import asyncio
import json
import threading

import numpy as np
import pytest
from pydantic import Field
from server_rig import until
from stream_rig import SEGMENTS, served, streaming

import byoc_kit
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stage import Stage
from byoc_kit.server.requests import parse_start
from byoc_kit.server.stream_server import LoadError


class Params(byoc_kit.Params):
    level: int = 1


class LessParams(byoc_kit.Params):
    level: int = Field(2, le=5)
    gain: float = 1.5


def makes(value, params_type=byoc_kit.Params, **hooks):
    """A processor whose frames are all of one grey."""

    def process_frame(frame, params: params_type):
        return np.full_like(frame.pixels, value)

    return FrameProcessor(Hooks.of(process_frame, **hooks))


class Noting:
    """Hooks that note their calls; the start of one that is held back ends when it is released."""

    def __init__(self):
        self.called = []
        self.released = threading.Event()

    def hooks(self, name, *, is_held=False):
        def start(*_):
            self.called.append(f"start {name}")
            if is_held:
                self.released.wait(30)
                self.called.append(f"started {name}")

        return {"on_stream_start": start, "on_stream_stop": lambda: self.called.append(f"stop {name}")}

    async def until_called(self, what):
        await until(lambda: what in self.called, what)


async def test_a_stream_goes_on_with_the_new_one_from_the_next_frame(rig):
    noting = Noting()
    async with served(rig, lambda frame: np.zeros_like(frame.pixels), **noting.hooks("a")) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
            await stream.until_frames_out(10)
            await it.server.swap(makes(255, **noting.hooks("b")))
            await stream.post(1, SEGMENTS[1])
            await stream.until_frames_in(20)
        assert stream.levels() == [0] * 10 + [255] * 10
        assert it.server.sessions.ended["error"] is None
    assert noting.called == ["start a", "start b", "stop a", "stop b"]


async def test_a_start_ends_before_the_next_one_begins(rig, caplog):
    noting = Noting()
    async with served(rig, **noting.hooks("a", is_held=True)) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        await noting.until_called("start a")
        other = makes(255, **noting.hooks("b"))
        swapping = asyncio.create_task(it.server.swap(other))
        await until(lambda: it.server.frame_processor is other, "the swap has begun")
        noting.released.set()
        await swapping
        assert (await it.post("/stream/stop"))[0] == 200
        await it.until_idle()
    assert noting.called == ["start a", "started a", "start b", "stop a", "stop b"]
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_stream_that_has_not_begun_begins_with_the_new_one(rig):
    noting = Noting()
    async with served(rig, **noting.hooks("a")) as it:
        await it.server.sessions.start("x", parse_start(json.dumps(it.start_body()).encode()))
        await it.server.sessions.swap(makes(255, **noting.hooks("b")))
        await noting.until_called("start b")
        assert (await it.post("/stream/stop"))[0] == 200
    assert noting.called == ["start b", "stop b"]


async def test_a_stream_that_ends_does_not_wait_for_the_start_of_another(rig):
    noting = Noting()
    async with served(rig, **noting.hooks("a")) as it:
        async with streaming(it):
            swapping = asyncio.create_task(it.server.swap(makes(255, **noting.hooks("b", is_held=True))))
            await noting.until_called("start b")
        assert noting.called == ["start a", "start b", "stop a"]
        noting.released.set()
        await swapping


async def test_parameters_that_come_during_a_swap_are_kept(rig):
    noting = Noting()

    def process_frame(frame, params: Params):
        return frame

    async with served(rig, process_frame, params_type=Params) as it, streaming(it, params={"level": 3}):
        swapping = asyncio.create_task(it.server.swap(makes(0, LessParams, **noting.hooks("b", is_held=True))))
        await noting.until_called("start b")
        assert (await it.post("/stream/params", {"level": 4}))[0] == 200
        noting.released.set()
        await swapping
        assert (await it.stream_status())["params"] == {"level": 4, "gain": 1.5}


async def test_the_next_stream_is_served_with_the_new_one(rig):
    async with served(rig, lambda frame: np.zeros_like(frame.pixels)) as it:
        await it.server.swap(makes(255))
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert stream.levels() == [255] * 10


async def test_one_whose_model_does_not_load_changes_nothing(rig):
    def load_model():
        raise KeyError("weights")

    async with served(rig) as it:
        before = it.server.frame_processor
        with pytest.raises(LoadError, match=r"^load_model failed at test_swap\.py, line \d+: KeyError: 'weights'$"):
            await it.server.swap(makes(255, load_model=load_model))
        assert it.server.frame_processor is before


async def test_a_good_one_after_a_model_that_did_not_load_is_ready(rig):
    def load_model():
        raise KeyError("weights")

    async with rig(lambda frame: np.zeros_like(frame.pixels), load_model=load_model) as it:
        await until(lambda: it.server._load_error, "loading fails")
        await it.server.swap(makes(255))
        assert await it.get("/health") == (200, {"status": "ok"})
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert stream.levels() == [255] * 10


@pytest.mark.parametrize("ends_well", [True, False])
async def test_one_that_is_loaded_before_the_first_is_ready_and_stays_so(rig, ends_well):
    released, ended = threading.Event(), threading.Event()

    def load_model():
        released.wait(30)
        ended.set()
        if not ends_well:
            raise KeyError("weights")

    async with rig(lambda frame: frame, load_model=load_model) as it:
        await it.server.swap(makes(255))
        released.set()
        await until(ended.is_set, "the first model has been loaded")
        assert it.server._loading.done()
        assert await it.get("/health") == (200, {"status": "ok"})


@pytest.mark.parametrize(("level", "kept"), [(4, 4), (9, 2)])
async def test_parameters_stay_where_they_fit(rig, level, kept):
    def process_frame(frame, params: Params):
        return frame

    async with served(rig, process_frame, params_type=Params) as it, streaming(it, params={"level": level}) as stream:
        await it.server.swap(makes(0, LessParams))
        assert (await it.stream_status())["params"] == {"level": kept, "gain": 1.5}
        await stream.post(0, SEGMENTS[0])
        await stream.until_frames_in(10)


def test_a_frame_sees_one_processor_and_its_own_parameters():
    pairs = []

    class Noting(FrameProcessor):
        def process(self, frame, params):
            pairs.append((self, params))
            return frame

    first, second = (Noting(Hooks.of(lambda frame: frame)) for _ in range(2))
    own = {first: first.params, second: byoc_kit.Params()}
    with Stage(first, lambda _: None) as stage:
        for number in range(200):
            stage.swap(*[(first, own[first]), (second, own[second])][number % 2])
            stage.submit(byoc_kit.VideoFrame.from_pixels(np.zeros((2, 2, 3), np.uint8), pts=number))
    assert pairs
    assert all(params is own[processor] for processor, params in pairs)
