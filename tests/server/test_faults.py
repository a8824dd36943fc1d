"""What is thrown at a stream, and what must hold: it goes on or ends cleanly, and the next one is served."""

import asyncio
import gc
import io
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from fractions import Fraction

import aiohttp
import av
import numpy as np
import psutil
import pytest
import torch
from server_rig import until
from stream_rig import NOISE, SEGMENTS, STEP, Stream, frame_numbers, numbers, served, streaming
from trickle_rig import Wire

from byoc_kit.core.frames import VideoFrame, as_frame
from byoc_kit.core.pixels import FrameError
from byoc_kit.core.publish import publish
from byoc_kit.core.stage import Stage
from byoc_kit.media.demux import open_stream
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.network.serving import serving
from byoc_kit.server.output import Output
from byoc_kit.server.pipeline import Pipeline
from byoc_kit.server.session import Session
from byoc_kit.server.settings import ServerSettings
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.publisher import SegmentPublisher
from byoc_kit.trickle.server import create_app

# The input


async def test_garbage_between_two_segments_costs_none_of_their_frames(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0] + NOISE)
            await stream.post(1, SEGMENTS[1])
            await stream.until_frames_in(20)
        assert frame_numbers(stream.output) == numbers(0, 2)


async def test_garbage_in_the_middle_of_a_segment_costs_no_other_segment(rig):
    broken = bytearray(SEGMENTS[1])
    broken[len(broken) // 2 : len(broken) // 2 + 1000] = NOISE[:1000]
    async with served(rig) as it:
        async with streaming(it) as stream:
            for seq, data in enumerate([SEGMENTS[0], bytes(broken), SEGMENTS[2]]):  # no more than a stage holds
                await stream.post(seq, data)
            await stream.until_frames_in(20)
        found = frame_numbers(stream.output)
        assert found == sorted(set(found))
        assert set(found) >= set(numbers(0) + numbers(2))


async def test_a_truncated_segment_costs_its_own_tail_only(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            for seq, data in enumerate([SEGMENTS[0], SEGMENTS[1][: len(SEGMENTS[1]) // 2], SEGMENTS[2]]):
                await stream.post(seq, data)
            await stream.until_frames_in(20)
        found = frame_numbers(stream.output)
        assert set(found) >= set(numbers(0) + numbers(2))
        assert found == sorted(set(found))


async def test_empty_segments_cost_nothing(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            for seq, data in enumerate([b"", SEGMENTS[0], b"", SEGMENTS[1], b""]):
                await stream.post(seq, data)
                await stream.until_frames_in([0, 10, 10, 20, 20][seq])
        assert frame_numbers(stream.output) == numbers(0, 2)


async def test_a_publisher_that_jumps_100_numbers_is_followed(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
            for seq in range(100, 106):
                await stream.post(seq, SEGMENTS[seq - 99])
                await asyncio.sleep(0.1)  # as live video does, in its own time
            await stream.until_frames_in(20)
        found = frame_numbers(stream.output)
        assert found[:10] == numbers(0)
        assert found[-10:] == numbers(6)


async def test_a_channel_closed_before_the_first_frame_ends_the_stream(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            await until(lambda: it.server.sessions.status()[0]["state"] == "streaming", "the stream runs")
        assert stream.output == b""
        assert it.server.sessions.ended["error"] is None


async def test_an_input_that_breaks_off_in_mid_segment_goes_on_where_it_was(rig):
    half = len(SEGMENTS[1]) // 2

    async def broken_off():
        yield SEGMENTS[1][:half]
        await stream.until_frames_in(12)
        raise ConnectionResetError

    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            async with aiohttp.ClientSession() as other:
                with pytest.raises((aiohttp.ClientError, ConnectionResetError)):
                    await other.post(f"{stream.body['subscribe_url']}/1", data=broken_off())
            await stream.post(1, SEGMENTS[1][half:])
            await stream.until_frames_in(20)
        assert frame_numbers(stream.output) == numbers(0, 2)


@pytest.mark.parametrize("keeps_its_channels", [True, False])
async def test_a_trickle_server_that_dies_and_comes_back_is_used_again(rig, keeps_its_channels):
    async with served(rig) as it, trickle_server() as before, trickle_server() as restarted:
        after = before if keeps_its_channels else restarted
        wire = Wire(before)
        await wire.join()
        base = f"http://127.0.0.1:{wire.port}/ai/trickle"
        urls = {f"{role}_url": f"{base}/{role}" for role in ("subscribe", "publish", "events", "control")}
        assert (await it.post("/stream/start", it.start_body(**urls)))[0] == 200
        first, last = Stream(it, urls_at(before)), Stream(it, urls_at(after))
        reading = [asyncio.create_task(stream.read_output()) for stream in (first, last)]
        await first.post(0, SEGMENTS[0])
        await first.until_frames_in(10)
        await until(lambda: first.output, "pictures come back")
        await wire.cut()
        wire._to = after
        await last.post(1, SEGMENTS[1])
        await wire.join()
        await last.until_frames_in(20)
        for seq in (2, 3):
            await last.post(seq, SEGMENTS[seq])
            await last.until_frames_in(10 * seq + 10)
        status = await it.stream_status()
        assert (status["state"], status["error"]) == ("streaming", None)
        await last.end()
        await reading[-1]
        await wire.cut()
        for task in reading:
            task.cancel()
    found = frame_numbers(last.output)
    assert found == sorted(set(found))
    assert found[-20:] == numbers(2, 2)


@asynccontextmanager
async def trickle_server():
    channels = Channels()
    for role in ("subscribe", "publish", "events", "control"):
        channels.create(role, "video/MP2T")
    async with serving(create_app(channels=channels)) as base:
        yield int(base.rpartition(":")[2])


def urls_at(port):
    return {f"{role}_url": f"http://127.0.0.1:{port}/ai/trickle/{role}" for role in ("subscribe", "publish")}


# What process_frame does


WRONG = {
    "a shape": lambda frame: torch.zeros(3, 4),
    "a type": lambda frame: torch.zeros(1, 48, 64, 3, dtype=torch.int64),
    "a device": lambda frame: torch.zeros(1, 48, 64, 3, device="meta"),
    "no picture": lambda frame: "done",
    "an empty picture": lambda frame: np.zeros((0, 64, 3), np.uint8),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_result_lets_the_original_through_and_is_counted(rig, wrong):
    pixels = VideoFrame.from_pixels(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises((FrameError, NotImplementedError)):
        as_frame(WRONG[wrong](pixels), pixels)  # torch takes seconds to say it the first time
    async with served(rig, WRONG[wrong]) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        found = frame_numbers(stream.output)
        assert found == numbers(0)
        assert it.server.sessions.ended["failures"][0]["count"] == len(found)


@pytest.mark.parametrize("size", [(2, 17_000), (17_000, 2), (1, 64), (48, 1)])
async def test_a_size_that_no_encoder_takes_is_dropped_and_counted_and_the_next_frame_goes_out(rig, size):
    def process_frame(frame):
        return frame if frame.pts // STEP % 2 else np.zeros((*size, 3), np.uint8)

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert frame_numbers(stream.output) == [1, 3, 5, 7, 9]
        assert it.server.sessions.ended["drops"] == {"encode": {"no size for video": 5}}


async def test_frames_that_the_encoder_refuses_show_in_health_until_one_goes_out(rig, monkeypatch):
    def refuse(*_):
        raise ValueError("no room on the GPU")

    async with served(rig, options={"settings": ServerSettings(max_failures=10)}) as it:
        monkeypatch.setattr(SegmentWriter, "_open_encoder", refuse)
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await until(it.server.sessions.problem, "it is noticed")
            detail = "the last 10 frames could not be encoded: ValueError: no room on the GPU"
            assert await it.get("/health") == (503, {"status": "error", "detail": detail})
            monkeypatch.undo()
            await stream.post(1, SEGMENTS[1])
            await until(lambda: not it.server.sessions.problem(), "a frame goes out")
        assert frame_numbers(stream.output) == numbers(1)


async def test_nan_and_infinity_are_black_and_white(rig):
    def process_frame(frame):
        return torch.full((1, 48, 64, 3), float("nan") if frame.pts // STEP % 2 else float("inf"))

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        with open_stream(io.BytesIO(stream.output)) as container:
            levels = [int(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]
        assert all(level > 250 for level in levels[::2])
        assert all(level < 5 for level in levels[1::2])


async def test_another_size_in_mid_stream_comes_out_in_that_size(rig):
    def process_frame(frame):
        return np.zeros((96, 128, 3), np.uint8) if frame.pts // STEP >= 15 else frame

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            for seq in range(3):
                await stream.post(seq, SEGMENTS[seq])
            await stream.until_frames_in(30)
        with open_stream(io.BytesIO(stream.output)) as container:
            sizes = [(frame.width, frame.height) for frame in container.decode(video=0)]
        assert sizes == [(64, 48)] * 15 + [(128, 96)] * 15


async def test_an_exception_every_third_frame_costs_no_frame(rig):
    def process_frame(frame):
        if frame.pts // STEP % 3 == 0:
            raise ValueError("every third")
        return frame

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            for seq in range(3):
                await stream.post(seq, SEGMENTS[seq])
            await stream.until_frames_in(30)
        assert frame_numbers(stream.output) == numbers(0, 3)
        [failure] = it.server.sessions.ended["failures"]
        assert (failure["error"], failure["count"]) == ("ValueError", 10)


# The whole


# Hooks by how their stream ends.
ENDS = {
    "the input ends": {},
    "it is stopped": {},
    "process_frame raises": {"process_frame": lambda frame: 1 / 0},
    "process_audio": {"process_audio": lambda frame: frame},
    "the encoder refuses": {"process_frame": lambda frame: np.zeros((1, 1, 3), np.uint8)},
    "the start hook raises": {"on_stream_start": lambda params: 1 / 0},
}


@pytest.fixture
def no_collector():
    """Python without its cyclic collector, which comes the more rarely the more objects there are."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_that_ended_is_let_go_without_the_cyclic_collector(rig, end, monkeypatch, no_collector):
    made = []
    for kind in (Session, Pipeline, Stage, Output, SegmentWriter, SegmentPublisher):
        monkeypatch.setattr(kind, "__init__", remembered(kind.__init__, made))
    for module in ("core.stage", "server.session", "server.output"):  # pytest keeps what is logged, traceback and all
        monkeypatch.setattr(f"byoc_kit.{module}.logger.disabled", True)
    async with served(rig, **{"process_frame": lambda frame: frame, **ENDS[end]}) as it:
        made.clear()
        body = it.start_body(data_url=it.channel("data"))
        assert (await it.post("/stream/start", body))[0] == 200
        async with it.http.post(f"{body['subscribe_url']}/0", data=SEGMENTS[0]):
            pass
        if end == "it is stopped":
            await it.post("/stream/stop")
        else:
            await it.http.delete(body["subscribe_url"])
        await it.until_idle()
        assert made
        await until(lambda: not [ref() for ref in made if ref() is not None], f"all is let go: {made}")


def remembered(init, made):
    """Return an ``__init__`` that leaves a weak reference to each object."""

    def remember(self, *args, **options):
        made.append(weakref.ref(self))
        init(self, *args, **options)

    return remember


async def test_streams_leave_threads_tasks_and_sockets_where_they_were(rig, monkeypatch, no_collector):
    monkeypatch.setattr("byoc_kit.trickle.connection.TAIL_S", 0.0)  # which each stream's end would wait for
    # The loop's own pool adds a thread wherever none is idle yet, up to its bound.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    process, own_threads = psutil.Process(), threading.active_count() + 1

    async def stream_once(it):
        body = it.start_body(data_url=it.channel("data"))
        assert (await it.post("/stream/start", body))[0] == 200
        async with it.http.post(f"{body['subscribe_url']}/0", data=SEGMENTS[0]):
            pass
        assert (await it.post("/stream/stop"))[0] == 200
        await it.until_idle()
        for name in ("in", "out", "control", "events", "data"):
            it.channels.delete(name)

    async with served(rig) as it:
        for _ in range(5):
            await stream_once(it)
        await until(lambda: threading.active_count() <= own_threads, "the first streams' threads are gone")
        threads, files, tasks = process.num_threads(), process.num_fds(), len(asyncio.all_tasks())
        for _ in range(50):
            await stream_once(it)
        await until(lambda: process.num_threads() <= threads, "the threads are gone, native ones too")
        await until(lambda: process.num_fds() <= files + 5, "the sockets are closed")
        await until(lambda: len(asyncio.all_tasks()) <= tasks, "the tasks have ended")


# Hooks that do what they should not


@pytest.mark.parametrize("hook", ["on_stream_start", "on_stream_stop"])
@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
async def test_a_hook_that_raises_what_ends_a_program_ends_its_stream_only(rig, hook, error):
    def broken(*_):
        raise error

    async with served(rig, **{hook: broken}) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        assert (await it.post("/stream/stop"))[0] == 200
        await it.until_idle()
        said = f"{hook} failed at test_faults.py, line {broken.__code__.co_firstlineno + 1}: ByocKitError: "
        assert it.server.sessions.ended["error"].startswith(said + type(error).__name__)
        assert await it.get("/health") == (200, {"status": "ok"})


@pytest.mark.parametrize("hook", ["on_stream_start", "on_stream_stop"])
async def test_a_hook_that_hangs_does_not_hold_up_a_stop_and_keeps_its_place(rig, hook, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.session.STREAM_END_S", 0.5)
    released = threading.Event()
    settings = ServerSettings(stall_timeout_s=0.1)
    async with served(rig, **{hook: lambda *_: released.wait()}, options={"settings": settings}) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        assert (await it.post("/stream/stop"))[0] == 200
        await it.until_idle()
        detail = await until(it.server.sessions.problem, "it is noticed")
        assert detail.startswith(f"{hook} has not returned for ")
        assert (await it.get("/health"))[0] == 503
        assert (await it.post("/stream/start", it.start_body()))[0] == 503
        released.set()
        await until(lambda: not it.server.sessions.is_occupied, "the hook returns")
        assert await it.get("/health") == (200, {"status": "ok"})


async def test_the_stop_hook_waits_for_a_start_hook_that_still_runs_also_beyond_the_streams_end(rig, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.session.STREAM_END_S", 0.2)
    released, calls = threading.Event(), []

    def on_stream_start(_):
        calls.append("start")
        released.wait()
        calls.append("started")

    hooks = {"on_stream_start": on_stream_start, "on_stream_stop": lambda: calls.append("stop")}
    async with served(rig, **hooks) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        await until(lambda: calls, "the start hook runs")
        assert (await it.post("/stream/stop"))[0] == 200
        assert calls == ["start"]
        assert it.server.sessions.is_occupied
        released.set()
        await until(lambda: not it.server.sessions.is_occupied, "both hooks return")
        assert calls == ["start", "started", "stop"]


async def test_async_hooks_survive_one_that_would_end_their_loop(rig):
    async def process_frame(frame):
        await asyncio.sleep(0)
        if frame.pts == 0:
            raise SystemExit(1)
        return frame

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert frame_numbers(stream.output) == numbers(0)
        assert it.server.sessions.ended["failures"][0]["count"] == 1


async def test_an_exception_whose_text_raises_is_a_failure_like_any_other(rig):
    class MuteError(Exception):
        def __str__(self):
            raise ValueError("nothing to say")

    def process_frame(frame):
        raise MuteError

    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert it.server.sessions.ended["failures"][0]["message"] == "(its text raises ValueError)"


# Bytes that have killed processes


@pytest.mark.parametrize("first", ["null packets", "zeros"])
async def test_what_comes_before_the_tables_does_no_harm(rig, first):
    null = b"\x47\x1f\xff\x10" + b"\xff" * 184
    data = {"null packets": null * 2200, "zeros": bytes(300_000)}[first]
    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, data + SEGMENTS[0])
            await stream.post(1, SEGMENTS[1])
            await stream.until_frames_in(10)
        assert frame_numbers(stream.output)[-10:] == numbers(1)


async def test_zeros_in_mid_stream_do_not_end_it(rig):
    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, SEGMENTS[0] + bytes(200_000))
            await stream.until_frames_in(10)
            for seq in (1, 2):
                await stream.post(seq, SEGMENTS[seq])
            await stream.until_frames_in(20)
        assert frame_numbers(stream.output)[-10:] == numbers(2)


async def test_a_data_channel_that_is_not_there_costs_no_picture(rig):
    def process_frame(frame):
        publish({"n": 1})
        return frame

    async with served(rig, process_frame) as it:
        async with streaming(it, data_url=f"{it.trickle_url}/nowhere") as stream:
            for seq in range(3):
                await stream.post(seq, SEGMENTS[seq])
                await stream.until_frames_in(10 * seq + 10)
        assert frame_numbers(stream.output) == numbers(0, 3)


async def test_a_camera_that_goes_off_under_a_slow_model_leaves_the_sound(rig):
    def process_frame(frame):
        released.wait(0.05)
        return frame

    released = threading.Event()
    async with served(rig, process_frame) as it:
        async with streaming(it) as stream:
            await stream.post(0, with_audio(video=True))
            await stream.post(1, with_audio(video=False))
            await stream.until_frames_in(30)
        status = it.server.sessions.ended
        assert (status["error"], status["ended_by"]) == (None, "the input ended")


async def test_a_camera_that_never_comes_on_leaves_the_sound(rig, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.input._NO_VIDEO_S", 0.2)
    async with served(rig) as it:
        async with streaming(it) as stream:
            for seq in range(4):
                await stream.post(seq, with_audio(video=False, announces_video=True, start_s=seq))
            await until(lambda: len(stream.output) > 1000, "sound comes out")
            await stream.post(4, SEGMENTS[0])
            await stream.until_frames_in(10)
        assert it.server.sessions.ended["error"] is None
    with open_stream(io.BytesIO(stream.output)) as container:
        assert container.streams.audio


async def test_a_pause_of_the_input_is_no_camera_that_went_off(rig, monkeypatch):
    programs = []
    begin = Output.begin

    def counted(self, program, *, video):
        programs.append(video)
        begin(self, program, video=video)

    monkeypatch.setattr("byoc_kit.server.input._NO_VIDEO_S", 1.0)
    monkeypatch.setattr(Output, "begin", counted)
    async with served(rig) as it, streaming(it) as stream:
        await stream.post(0, with_audio(video=True))
        await stream.until_frames_in(30)
        await asyncio.sleep(1.1)  # the pause itself
        await stream.post(1, with_audio(video=True, start_s=3))
        await stream.until_frames_in(60)
    assert programs == [True]


async def test_a_process_audio_that_hangs_shows_in_health(rig):
    released = threading.Event()
    settings = ServerSettings(stall_timeout_s=0.1)
    hooks = {"process_audio": lambda frame: released.wait() and frame, "options": {"settings": settings}}
    async with served(rig, **hooks) as it:
        assert (await it.post("/stream/start", it.start_body()))[0] == 200
        await until(lambda: it.channels.find("in")._ring, "the stream listens")
        async with it.http.post(f"{it.trickle_url}/in/0", data=with_audio(video=True)):
            pass
        detail = await until(it.server.sessions.problem, "it is noticed")
        assert detail.startswith("process_audio has not returned for ")
        released.set()
        await until(lambda: not it.server.sessions.problem(), "it returns")
        await it.post("/stream/stop")
        await it.until_idle()


def with_audio(*, video, announces_video=False, start_s=None):
    data = io.BytesIO()
    with av.open(data, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        sound = container.add_stream("aac", rate=48_000)
        sound.codec_context.time_base = Fraction(1, 48_000)
        is_announced = video or announces_video
        picture = container.add_stream("libx264", rate=30, options={"tune": "zerolatency"}) if is_announced else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
            picture.codec_context.time_base = TIME_BASE
        start = start_s if start_s is not None else 0 if video else 1
        for number in range(30):
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1600), np.float32), "fltp", "stereo")
            silence.sample_rate, silence.time_base = 48_000, Fraction(1, 48_000)
            silence.pts = start * 48_000 + number * 1600
            container.mux(sound.encode(silence))
            if picture is not None and video:
                grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * number, np.uint8), "rgb24")
                grey.pts, grey.time_base = (start * 30 + number) * STEP, TIME_BASE
                container.mux(picture.encode(grey))
        for stream in (sound, picture):
            if stream is not None:
                container.mux(stream.encode(None))
    return data.getvalue()
