"""What arrives is encoded or counted as dropped, whatever the PES packets look like."""

import asyncio
import threading
from collections import deque
from itertools import accumulate, cycle

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from transport_streams import VIDEO_PID, Transport, grouped, laid_out, units

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.stream_state import StreamStates
from byoc_kit.media.frame_size import Size
from byoc_kit.server.output import Faults, Output
from byoc_kit.server.pipeline import Pipeline
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_params import FrameRate
from byoc_kit.trickle.buffers import ByteInlet

OTHER_PID = 0x200
CODECS = {"libx264": 0x1B, "libx265": 0x24, "mpeg2video": 0x02}


class Nowhere:
    """Takes segments, and lets them go."""

    def __init__(self):
        self.waits_s = deque()

    def begin_segment(self):
        pass

    def write(self, data):
        pass


async def status_after(data, process_frame, *, piece=4096, stops_early=False):
    """Return the status of a pipeline that the bytes went through."""
    inlet = ByteInlet()
    pipeline = Pipeline(
        FrameProcessor(Hooks(process_frame)),
        Params(),
        inlet,
        Nowhere(),
        settings=ServerSettings(on_error="drop"),
        publish=None,
        states=StreamStates(),
        size=Size(),
        rate=FrameRate(),
        name="counted",
    )
    pipeline.start()
    for at in range(0, len(data), piece):
        await inlet.feed(data[at : at + piece])
    if stops_early:
        pipeline.abandon()
    inlet.end()
    async with asyncio.timeout(30):
        await pipeline.ended.wait()
    await asyncio.to_thread(pipeline.join, 10)
    return pipeline.status()


def assert_all_counted(status):
    frame_drops = [reasons for place, reasons in status["drops"].items() if place != "sound"]
    dropped = sum(sum(reasons.values()) for reasons in frame_drops)
    assert status["frames_in"] == status["frames_encoded"] + dropped
    assert status["frames_in_flight"] == 0


def transport_of(packets, kind, *, times=(True,), other=(), lost=()):
    """Write PES packets, with their times where ``times`` says so, over and over, and without those in ``lost``."""
    transport, has_time = Transport(), cycle(times)
    for number, (payload, pts, dts) in enumerate(packets):
        if number % 6 == 0:
            transport.tables([(kind, VIDEO_PID)], *([[(0x1B, OTHER_PID)]] if other else []))
        is_timed = next(has_time)
        if number not in lost:
            transport.pes(payload, pts=pts if is_timed else None, dts=dts if is_timed else None)
        if number < len(other):
            transport.pes(other[number].data, pid=OTHER_PID, pts=other[number].pts)
    return bytes(transport.data)


def every_third(frame):
    """Let one frame through, withhold the next, and fail for the third."""
    number = frame.pts // 3600 % 3
    if number == 2:
        raise ValueError(number)
    return frame if number == 0 else None


LAYOUTS = st.one_of(
    st.tuples(st.just(grouped), st.lists(st.integers(1, 6), min_size=1, max_size=4)),
    st.tuples(st.just(laid_out), st.lists(st.integers(150, 2500), min_size=1, max_size=4)),
)
# The same loop for all examples: each is one stream.
MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(
    codec=st.sampled_from(sorted(CODECS)),
    b_frames=st.sampled_from([0, 2]),
    layout=LAYOUTS,
    times=st.lists(st.booleans(), max_size=5).map(lambda rest: [True, *rest]),
    others=st.integers(0, 8),
    piece=st.integers(100, 20_000),
)
@example(codec="mpeg2video", b_frames=2, layout=(laid_out, [770, 205]), times=[True], others=0, piece=4096)
def test_any_layout_of_pes_packets_gives_all_pictures(codec, b_frames, layout, times, others, piece):
    sent = units(codec, b_frames=b_frames)
    lay_out, sizes = layout
    packets = lay_out(sent, sizes)
    # Where the first PES packet ends with a picture, the others are expected to: one picture shows that they do not.
    assume(lay_out is grouped or len(packets[0][0]) not in accumulate(len(unit.data) for unit in sent))
    other = units()[: min(others, len(packets))]
    data = transport_of(packets, CODECS[codec], times=times, other=other)
    status = asyncio.run(status_after(data, lambda frame: frame, piece=piece))
    assert_all_counted(status)
    assert status["frames_in"] == len(sent) + len(other)
    assert status["drops"].get("decode", {}) == ({"other video": len(other)} if other else {})


@MANY
@given(
    codec=st.sampled_from(sorted(CODECS)),
    layout=LAYOUTS,
    times=st.lists(st.booleans(), min_size=1, max_size=4),
    lost=st.sets(st.integers(0, 30), max_size=8),
    damage=st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=400)), max_size=3),
    runs=st.integers(1, 2),
    stops_early=st.booleans(),
)
def test_what_is_damaged_withheld_or_fails_is_counted(codec, layout, times, lost, damage, runs, stops_early):
    lay_out, sizes = layout
    data = transport_of(lay_out(units(codec, b_frames=2), sizes), CODECS[codec], times=times, lost=lost)
    damaged = bytearray(data * runs)
    for at, garbage in damage:
        damaged[at : at + len(garbage) // 2] = garbage
    status = asyncio.run(status_after(bytes(damaged), every_third, stops_early=stops_early))
    assert_all_counted(status)


def test_the_counts_can_be_asked_for_while_a_new_reason_is_counted():
    def count():
        for number in range(50_000):
            output._drops[f"{number}"] += 1
            output._audio_refused[f"{number}"] += 1

    output = Output(None, settings=ServerSettings(), faults=Faults(), encodes_audio=False, name="counted")
    counting = threading.Thread(target=count)
    counting.start()
    while counting.is_alive():
        assert sum(output.drops.values()) >= 0
        assert sum(output.audio_drops.values()) >= 0
