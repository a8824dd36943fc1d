"""What the hooks keep for each of several streams that one container serves at once."""

import asyncio
import gc
import json
import threading
import weakref
from collections import Counter
from io import BytesIO

import aiohttp
import numpy as np
from PIL import Image
from server_rig import DEADLINE_S, until
from stream_rig import SEGMENTS, served, streaming

import byoc_kit
from byoc_kit import stream_state
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.processor import FrameProcessor

NAMES = "abcd"


class Params(byoc_kit.Params):
    name: str = ""


class Counting:
    """Hooks that count a stream's frames in its state. The first frames of all four wait for each other."""

    def __init__(self):
        self.together = threading.Barrier(len(NAMES))
        self.seen = Counter()
        self.threads = {}
        self.ended = {}
        self.states = {}

    def on_stream_start(self, params):
        stream_state(name=params.name, frames=0)
        self.states[params.name] = weakref.ref(stream_state())

    def process_frame(self, frame, params: Params):
        state = stream_state()
        state.frames += 1
        if state.frames == 1:
            self.together.wait(DEADLINE_S)
        self.seen[params.name] += 1
        self.threads.setdefault(params.name, set()).add(threading.get_ident())
        return frame

    def on_stream_stop(self):
        self.ended[stream_state().name] = stream_state().frames

    @property
    def hooks(self):
        return {
            "params_type": Params,
            "on_stream_start": self.on_stream_start,
            "on_stream_stop": self.on_stream_stop,
        }


async def stream(it, name, segments):
    """Run a stream of its own from start to end."""
    body = {
        "gateway_request_id": name,
        "subscribe_url": it.channel(f"in-{name}"),
        "publish_url": it.channel(f"out-{name}"),
        "params": {"name": name},
    }
    assert (await it.post("/stream/start", body, headers={"X-Stream-Id": name}))[0] == 200
    await until(lambda: it.channels.find(f"in-{name}")._ring, "the stream listens")
    for number, segment in enumerate(segments):
        async with it.http.post(f"{body['subscribe_url']}/{number}", data=segment) as answer:
            assert answer.status == 200
    async with it.http.delete(body["subscribe_url"]):
        await until(lambda: name not in {s["stream_id"] for s in it.server.sessions.status()}, f"{name} ends")


async def test_four_streams_at_once_have_a_thread_and_a_state_each(rig):
    counting = Counting()
    gc.collect()
    gc.disable()
    try:
        async with served(rig, counting.process_frame, **counting.hooks, options={"capacity": 4}) as it:
            await asyncio.gather(*(stream(it, name, SEGMENTS[: at + 1]) for at, name in enumerate(NAMES)))
            assert {name: state() for name, state in counting.states.items()} == dict.fromkeys(NAMES)
    finally:
        gc.enable()
    assert counting.ended == counting.seen
    assert set(counting.ended) == set(NAMES)
    assert {len(threads) for threads in counting.threads.values()} == {1}
    assert len(set.union(*counting.threads.values())) == 4


async def test_code_that_takes_over_a_stream_begins_with_a_state_of_its_own(rig):
    ended = []

    def counting(name):
        def process_frame(frame):
            stream_state(frames=0).frames += 1
            return np.array(frame.pixels)

        def on_stream_stop():
            ended.append((name, stream_state(frames=0).frames))

        return FrameProcessor(Hooks.of(process_frame, on_stream_stop=on_stream_stop))

    first = counting("a").hooks
    async with (
        served(rig, first.process_frame, on_stream_stop=first.on_stream_stop) as it,
        streaming(it) as running,
    ):
        await running.post(0, SEGMENTS[0])
        await running.until_frames_in(10)
        await running.until_frames_out(10)
        await it.server.swap(counting("b"))
        await running.post(1, SEGMENTS[1])
        await running.until_frames_in(20)
    assert ended == [("a", 10), ("b", 10)]


async def test_pictures_and_sound_of_a_stream_have_the_same_state(rig, clip):
    both = []

    def process_frame(frame):
        stream_state(pictures=0).pictures += 1
        return frame

    def process_audio(frame):
        stream_state(sounds=0).sounds += 1
        return frame

    def on_stream_stop():
        both.append(vars(stream_state()).keys())

    async with served(rig, process_frame, process_audio=process_audio, on_stream_stop=on_stream_stop) as it:
        await it.stream(it.start_body(), clip)
    assert [set(names) for names in both] == [{"pictures", "sounds"}]


async def test_pictures_at_once_have_a_state_each(rig):
    started, seen = threading.Barrier(2), []

    def on_stream_start(params):
        stream_state().name = params.name
        started.wait(DEADLINE_S)

    def process_frame(frame, params: Params):
        seen.append((params.name, stream_state().name))
        return frame

    hooks = {"params_type": Params, "on_stream_start": on_stream_start}
    async with served(rig, process_frame, **hooks, options={"capacity": 2}) as it:

        async def process(name):
            form = aiohttp.FormData({"params": json.dumps({"name": name})})
            form.add_field("image", still(), filename="still.png", content_type="image/png")
            async with it.http.post(f"{it.url}/process", data=form) as answer:
                assert answer.status == 200, await answer.text()

        await asyncio.gather(process("a"), process("b"))
    assert sorted(seen) == [("a", "a"), ("b", "b")]


def still():
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file := BytesIO(), "PNG")
    return file.getvalue()
