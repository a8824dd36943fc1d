"""What stands still in the media path, and who hears of it."""

import threading
from collections import deque
from contextlib import contextmanager
from itertools import count

import pytest
from server_rig import until
from sound_clips import sound_clip
from stream_rig import SEGMENTS, Stream, frame_numbers, numbers, served, streaming
from transport_streams import Transport, units

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.media.decode import AudioDecoder, VideoDecoder
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.media.frame_size import Size
from byoc_kit.media.programs import Program
from byoc_kit.server.pipeline import Pipeline
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import FrameRate
from byoc_kit.trickle.buffers import ByteInlet

SETTINGS = ServerSettings(stall_timeout_s=0.2)


@contextmanager
def hanging(monkeypatch, owner, method):
    """Let the first call of a method hang until the body ends; yields an event that is set when it does."""
    is_hung, released = threading.Event(), threading.Event()
    whole = getattr(owner, method)

    def hang(self, *args, **options):
        if not is_hung.is_set():
            is_hung.set()
            released.wait()
        return whole(self, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(owner, method, hang)
        try:
            yield is_hung
        finally:
            released.set()


async def started(it, name="a"):
    body = it.start_body(
        gateway_request_id=name, subscribe_url=it.channel(f"in-{name}"), publish_url=it.channel(f"out-{name}")
    )
    assert (await it.post("/stream/start", body))[0] == 200
    await until(lambda: it.channels.find(f"in-{name}")._ring, "the stream listens")
    return Stream(it, body)


@pytest.mark.parametrize(
    ("owner", "method", "named"),
    [
        (VideoDecoder, "_decoded", "the video decoder"),
        (SegmentWriter, "write_frame", "the encoder"),
        (AudioDecoder, "_parts", "the sound decoder"),
        (Program, "packets", "the input's reader"),
    ],
)
async def test_what_stands_still_is_reported_in_health_and_keeps_its_place(rig, monkeypatch, owner, method, named):
    data = sound_clip("aac")
    async with served(rig, process_audio=lambda frame: frame, options={"settings": SETTINGS}) as it:
        with hanging(monkeypatch, owner, method) as is_hung:
            stream = await started(it)
            for seq in range(2):
                await stream.post(seq, data[seq * 188 * 50 : (seq + 1) * 188 * 50])
            await until(is_hung.is_set, "it hangs")
            await stream.post(2, data[188 * 100 :])

            async def is_said():
                status, content = await it.get("/health")
                return status == 503 and content["detail"]

            said = await until(is_said, "health says error")
            assert said.startswith(f"{named} has stood still for ")
            assert (await it.stream_status())["error"].startswith(f"{named} has stood still for ")
            assert (await it.post("/stream/stop"))[0] == 200
            await it.until_idle()
            assert (await it.get("/health"))[0] == 503
            assert (await it.post("/stream/start", it.start_body(gateway_request_id="b")))[0] == 503

        async def is_well():
            return (await it.get("/health"))[0] == 200

        await until(is_well, "it is well when the codec is")


async def test_one_stream_that_hangs_leaves_another_and_the_container_alone(rig, monkeypatch):
    async with served(rig, options={"settings": SETTINGS, "capacity": 2}) as it:
        with hanging(monkeypatch, VideoDecoder, "_decoded") as is_hung:
            first = await started(it)
            await first.post(0, SEGMENTS[0])
            await until(is_hung.is_set, "it hangs")

            async def is_said():
                streams = (await it.get("/stream/status"))[1]["streams"]
                return any("has stood still for" in (stream["error"] or "") for stream in streams)

            await until(is_said, "its status says so")
            assert await it.get("/health") == (200, {"status": "ok"})
            second = await started(it, "b")
            await second.post(0, SEGMENTS[0])

            async def has_come():
                streams = (await it.get("/stream/status"))[1]["streams"]
                return any(stream.get("frames_encoded") == 10 for stream in streams)

            await until(has_come, "the other stream's frames are out")
            assert await it.get("/health") == (200, {"status": "ok"})
        await it.post("/stream/stop", {"stream_id": "a"})
        await it.post("/stream/stop", {"stream_id": "b"})
        await it.until_idle()


@pytest.mark.parametrize("hangs_at", [0, 1])
async def test_a_first_frame_may_take_longer_than_those_after_it(rig, hangs_at):
    """As one that compiles the model does."""
    released, is_hung, passed = threading.Event(), threading.Event(), count()

    def process_frame(frame):
        if next(passed) == hangs_at:
            is_hung.set()
            released.wait()
        return frame

    async with served(rig, process_frame, options={"settings": SETTINGS}) as it:
        stream = await started(it)
        await stream.post(0, SEGMENTS[0])
        await until(is_hung.is_set, "it hangs")
        [(session, _)] = it.server.sessions._running.values()
        await until(lambda: session._pipeline.stage.frame_taking_s > 0.2, "it takes longer than others may")
        said = session.problem()
        released.set()
        assert bool(said) is (hangs_at > 0)
        await stream.until_frames_out(10)
        await it.post("/stream/stop")
        await it.until_idle()


async def test_waiting_for_input_is_no_stall(rig):
    async with served(rig, options={"settings": ServerSettings(stall_timeout_s=0.05)}) as it, streaming(it) as stream:
        await stream.post(0, SEGMENTS[0])
        await stream.until_frames_out(10)
        threading.Event().wait(0.2)  # four times as long as a stall may take
        assert await it.get("/health") == (200, {"status": "ok"})
        assert (await it.stream_status())["error"] is None


async def test_a_network_that_takes_nothing_is_no_fault_of_the_encoder():
    released = threading.Event()

    class Stuck:
        def __init__(self):
            self.waits_s = deque()

        def begin_segment(self):
            released.wait()

        def write(self, data):
            pass

    inlet = ByteInlet()
    pipeline = Pipeline(
        FrameProcessor(Hooks(lambda frame: frame)),
        Params(),
        inlet,
        Stuck(),
        settings=SETTINGS,
        publish=None,
        states=StreamStates(),
        size=Size(),
        rate=FrameRate(),
        name="stuck",
    )
    pipeline.start()
    await inlet.feed(SEGMENTS[0])
    try:
        await until(lambda: pipeline.sending_s > 0.2, "the network is waited for")
        assert pipeline.standing[1] < 0.2
    finally:
        released.set()
        inlet.end()
        await pipeline.ended.wait()
    assert pipeline.sending_s == 0


async def test_input_that_cannot_be_decoded_is_the_streams_error_until_something_else_comes(rig):
    transport = Transport()
    for number, unit in enumerate(units()):
        if number % 8 == 0:
            transport.tables([(0x06, 0x100, b"\x05\x04AV01")])
        transport.pes(bytes(9000), pts=unit.pts)
    async with served(rig) as it:
        async with streaming(it) as stream:
            await stream.post(0, bytes(transport.data))

            async def has_error():
                return (await it.stream_status())["error"]

            said = await until(has_error, "the error shows")
            assert said == (
                "the input has no video or sound that can be decoded here, only AV1 (stream type 0x06); "
                "send H.264 or HEVC, and AAC"
            )
            assert await it.get("/health") == (200, {"status": "ok"})
            await stream.post(1, SEGMENTS[1])
            await stream.until_frames_out(10)
            status = await it.stream_status()
            assert (status["error"], status["faults"]) == (None, {"nothing to decode": 1})
        assert frame_numbers(stream.output) == numbers(1)


async def test_input_of_which_nothing_comes_is_reported_before_the_demuxer_gives_up(rig, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.input._NOTHING_FOR_S", 0.2)
    transport = Transport()
    transport.tables([(0x15, 0x100)])
    transport.pes(bytes(900), pts=0)
    async with served(rig) as it, streaming(it) as stream:

        async def has_error():
            await stream.post(seq := next(numbered), bytes(transport.data))
            return seq and (await it.stream_status())["error"]

        numbered = count()
        said = await until(has_error, "the error shows")
        assert said.startswith("nothing in 0 s of input can be decoded here")


async def test_a_pause_in_which_only_tables_come_is_no_input_that_cannot_be_decoded(rig, monkeypatch):
    monkeypatch.setattr("byoc_kit.server.input._NOTHING_FOR_S", 0.1)
    tables = SEGMENTS[1][: 2 * 188]
    async with served(rig) as it, streaming(it) as stream:
        await stream.post(0, SEGMENTS[0])
        await stream.until_frames_in(10)
        for seq in (1, 2, 3):
            await stream.post(seq, tables)
            threading.Event().wait(0.1)  # the pause itself
            assert (await it.stream_status())["error"] is None
