"""Streams of small grey pictures, posted segment by segment, and what comes back."""

import asyncio
import io
from contextlib import asynccontextmanager

import numpy as np
from media_rig import Segments
from server_rig import until

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.access_units import access_units
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.demux import open_stream
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.trickle.subscriber import read_channel

FRAMES_A_SEGMENT = 10
STEP = 3000


def segments_of(count):
    """Encode grey pictures, ten a segment."""
    segments = Segments()
    settings = MediaSettings(gop_s=FRAMES_A_SEGMENT / 30 - 0.001)
    with SegmentWriter(segments, settings=settings) as writer:
        for number in range(count * FRAMES_A_SEGMENT):
            pixels = np.full((48, 64, 3), 4 * number % 256, np.uint8)
            writer.write_frame(VideoFrame.from_pixels(pixels, pts=number * STEP, time_base=TIME_BASE))
    return segments.all


SEGMENTS = segments_of(8)
NOISE = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()


def frame_numbers(data):
    with open_stream(io.BytesIO(data)) as container:
        packets = access_units(container.demux(video=0))
        return [frame.pts // STEP for packet in packets for frame in packet.decode()]


def numbers(first, count=1):
    """Return the numbers of the frames of some segments."""
    return list(range(first * FRAMES_A_SEGMENT, (first + count) * FRAMES_A_SEGMENT))


class Stream:
    """A stream that runs, and what comes out of it."""

    def __init__(self, it, body):
        self.it = it
        self.body = body
        self.output = b""

    async def post(self, seq, data):
        async with self.it.http.post(f"{self.body['subscribe_url']}/{seq}", data=data) as answer:
            assert answer.status == 200

    async def read_output(self):
        async for _, data in read_channel(self.it.http, self.body["publish_url"], first_seq=0):
            self.output += data

    async def until_frames_in(self, count):
        async def has_come():
            return (status := await self.it.stream_status()) and status.get("frames_in", 0) >= count

        await until(has_come, f"{count} frames are in")

    async def until_frames_out(self, count):
        async def has_gone():
            return (status := await self.it.stream_status()) and status.get("frames_encoded", 0) >= count

        await until(has_gone, f"{count} frames are out")

    def levels(self):
        """Return how light each picture that came back is, black 0 and white 255."""
        with open_stream(io.BytesIO(self.output)) as container:
            means = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
        return [0 if mean < 5 else 255 if mean > 250 else round(mean) for mean in means]

    async def end(self):
        async with self.it.http.delete(self.body["subscribe_url"]):
            await self.it.until_idle()


@asynccontextmanager
async def streaming(it, **body):
    stream = Stream(it, it.start_body(**body))
    assert (await it.post("/stream/start", stream.body))[0] == 200
    await until(lambda: it.channels.find("in")._ring, "the stream listens")  # it begins with the latest segment
    reading = asyncio.create_task(stream.read_output())
    yield stream
    await stream.end()
    async with asyncio.timeout(20):
        await reading
    assert await it.get("/health") == (200, {"status": "ok"})


@asynccontextmanager
async def served(rig, process_frame=lambda frame: frame, **hooks):
    async with rig(process_frame, **hooks) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        yield it
