import io
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport_streams import PMT_PID, Transport, laid_out, one_stream, units

from byoc_kit.media.decode import PictureCounts
from byoc_kit.media.demux import open_stream
from byoc_kit.media.encode import TIME_BASE
from byoc_kit.media.programs import WRAP, Program, Timeline, read_programs

STEP = 3000
LOW_LATENCY = {"preset": "ultrafast", "tune": "zerolatency"}
B_FRAMES = {"preset": "ultrafast", "x264-params": "bframes=3:b-adapt=0"}
HEVC = {"preset": "ultrafast", "x265-params": "bframes=0:log-level=none"}
NOISE = np.random.default_rng(1).integers(0, 256, 300_000, dtype=np.uint8).tobytes()


def mpegts(codec="libx264", *, frames=60, size=(64, 48), start=0, options=LOW_LATENCY, steps=None, pix_fmt="yuv420p"):
    """Encode grey pictures; ``steps`` says how far apart they are, over and over."""
    steps = steps or [STEP]
    data = io.BytesIO()
    with av.open(data, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = TIME_BASE
        pts = start
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 4 * number % 256, np.uint8), "rgb24")
            picture.pts, picture.time_base = pts, TIME_BASE
            container.mux(stream.encode(picture))
            pts += steps[number % len(steps)]
        container.mux(stream.encode(None))
    return data.getvalue()


class Dribble(io.BytesIO):
    """Bytes that come in pieces that fit no packet."""

    def read(self, size=-1, /):
        return super().read(min(size, 777) if size >= 0 else 777)


@pytest.fixture(params=[io.BytesIO, Dribble], ids=["at once", "in pieces"])
def decoded(request):
    """Return a function that decodes bytes to (programme, picture) pairs, and to what was said of faults."""

    def decode(data):
        pictures, faults = [], []
        for number, program in enumerate(read_programs(request.param(data), lambda kind, _: faults.append(kind))):
            for packet in program.packets():
                pictures += [(number, picture) for picture in packet.decode()]
        return pictures, faults

    return decode


def times(pictures):
    return [picture.pts for _, picture in pictures]


def steps(pictures):
    return np.diff(times(pictures)).tolist()


def test_one_programme_is_read_as_it_is(decoded):
    pictures, faults = decoded(mpegts())
    assert times(pictures) == [number * STEP for number in range(60)]
    assert not faults


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv422p", "yuv444p"])
def test_other_pixel_formats_and_b_frames_come_in_order(decoded, pix_fmt):
    pictures, faults = decoded(mpegts(options=B_FRAMES, pix_fmt=pix_fmt, start=90_000))
    assert steps(pictures) == [STEP] * 59
    assert {picture.format.name for _, picture in pictures} == {pix_fmt}
    assert not faults


def test_a_variable_rate_and_a_gap_are_kept(decoded):
    spaces = [1500, 6000, 90_000 * 60, 3001]
    assert steps(decoded(mpegts(frames=8, steps=spaces))[0]) == [*spaces, *spaces[:3]]


def test_another_size_needs_no_new_programme(decoded):
    pictures, faults = decoded(mpegts() + mpegts(size=(96, 64), start=60 * STEP))
    assert [(number, picture.width) for number, picture in pictures] == [(0, 64)] * 60 + [(0, 96)] * 60
    assert not faults


def test_another_codec_is_another_programme_and_times_go_on(decoded):
    pictures, faults = decoded(mpegts() + mpegts("libx265", options=HEVC, start=500_000) + mpegts(start=10_000_000))
    assert [number for number, _ in pictures] == [0] * 60 + [1] * 60 + [2] * 60
    assert times(pictures) == sorted(set(times(pictures)))
    assert not faults


def test_a_publisher_that_begins_again_goes_on_behind_the_latest_time(decoded):
    pictures, faults = decoded(3 * mpegts())
    assert steps(pictures) == [STEP] * 179
    assert not faults


def test_the_clock_wraps(decoded):
    wrap = 1 << 33
    near = [
        times(decoded(mpegts(start=wrap - 45_000))[0]),
        times(decoded(mpegts(start=wrap - 45_000, frames=15) + mpegts())[0]),
    ]
    for found in near:
        assert found[0] == wrap - 45_000
        assert np.diff(found).tolist() == [STEP] * (len(found) - 1)


def test_a_wrap_after_a_long_run_is_no_jump_back(decoded):
    wrap = 1 << 33
    early, late = mpegts(start=wrap - 90_000 * 7200), mpegts(start=wrap - 60 * STEP)
    pictures, _ = decoded(early + late + mpegts(start=0))
    assert steps(pictures)[61:] == [STEP] * 118  # a jump of two hours is believed with its second picture


def test_garbage_costs_no_picture_behind_it(decoded):
    pictures, faults = decoded(mpegts() + NOISE[:5000] + mpegts(start=60 * STEP))
    assert steps(pictures) == [STEP] * 119
    assert not faults


def test_garbage_first_is_passed_over(decoded):
    pictures, _ = decoded(NOISE + mpegts(start=90_000))
    assert steps(pictures) == [STEP] * 59


def test_a_truncated_segment_costs_its_last_pictures_only(decoded):
    data = mpegts()
    pictures, _ = decoded(data[: len(data) // 2] + mpegts(start=90_000 * 5))
    assert times(pictures)[-60:] == [90_000 * 5 + number * STEP for number in range(60)]
    assert len(pictures) > 80


@pytest.mark.parametrize(("data", "kinds"), [(b"", []), (b"no video " * 1000, ["unreadable input"])])
def test_what_is_no_video_ends_with_its_bytes(decoded, data, kinds):
    pictures, faults = decoded(data)
    assert not pictures
    assert faults == kinds


@pytest.mark.parametrize("pmt_pids", [(PMT_PID, PMT_PID + 1), (PMT_PID, PMT_PID)], ids=["a PID each", "one PID"])
def test_of_two_programmes_the_first_is_read(decoded, pmt_pids):
    transport = Transport()
    for number, unit in enumerate(units()):
        if number % 4 == 0:
            transport.tables([(0x1B, 0x100)], [(0x1B, 0x200)], pmt_pids=pmt_pids)
        transport.pes(unit.data, pid=0x100, pts=unit.pts)
        transport.pes(unit.data, pid=0x200, pts=unit.pts + 5)
    pictures, faults = decoded(bytes(transport.data))
    assert [(number, picture.pts) for number, picture in pictures] == [(0, unit.pts) for unit in units()]
    assert not faults


def test_who_comes_in_the_middle_of_a_cut_picture_sees_the_next():
    sent = units(noise=True, size=(320, 240))
    _, *rest = laid_out(sent, [9_000])
    faults, pictures = [], 0
    for program in read_programs(io.BytesIO(one_stream(rest, tables_each=10_000)), lambda kind, _: faults.append(kind)):
        for packet in program.packets():
            with suppress(av.FFmpegError):  # those before the next key frame
                pictures += len(packet.decode())
    assert faults == ["unreadable input"]
    assert pictures == 14  # all from the second key frame on


def test_sound_that_comes_later_is_another_programme(decoded):
    data = io.BytesIO()
    with av.open(data, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        video = container.add_stream("libx264", rate=30, options=LOW_LATENCY)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = TIME_BASE
        sound = container.add_stream("aac", rate=48_000)
        sound.codec_context.time_base = Fraction(1, 48_000)
        for number in range(60):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            picture.pts, picture.time_base = 60 * STEP + number * STEP, TIME_BASE
            container.mux(video.encode(picture))
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1600), np.float32), "fltp", "stereo")
            silence.sample_rate, silence.pts, silence.time_base = 48_000, 96_000 + number * 1600, Fraction(1, 48_000)
            container.mux(sound.encode(silence))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    pictures, faults = decoded(mpegts() + data.getvalue() + mpegts(start=120 * STEP))
    kinds = [(number, type(picture).__name__) for number, picture in pictures]
    assert [kinds.count((number, "VideoFrame")) for number in range(3)] == [60, 60, 60]
    assert kinds.count((1, "AudioFrame")) > 80
    assert not faults


class BreakingOff:
    """A container that cannot be read on after its first packet."""

    def __init__(self, container):
        self.streams = container.streams
        self._container = container

    def demux(self, streams):
        yield next(self._container.demux(streams))
        raise av.InvalidDataError(1, "it breaks off")


def test_a_picture_that_waits_for_the_next_comes_also_where_the_input_breaks_off():
    faults = []
    with open_stream(io.BytesIO(mpegts(frames=3))) as container:
        program = Program(
            BreakingOff(container), (), Timeline(), PictureCounts(), lambda kind, error: faults.append((kind, error))
        )
        packets = list(program.packets())
    assert [(packet.pts, packet.size > 0) for packet in packets] == [(0, True)]
    assert [kind for kind, _ in faults] == ["unreadable input"]


# Times that only run forward


class Stream:
    type = "video"


class Sound:
    type = "audio"


class Packet:
    """Has of a packet what a timeline looks at."""

    def __init__(self, time, stream=Stream):
        self.pts = self.dts = time
        self.stream = stream


def placed(*times, timeline=None):
    timeline = timeline or Timeline()
    packets = [Packet(time) if isinstance(time, int) else Packet(*time) for time in times]
    for packet in packets:
        timeline.place(packet)
    return [packet.pts for packet in packets]


@pytest.mark.parametrize("back", [1, 18_000, 90_000])
def test_a_step_back_of_up_to_a_second_is_left_alone(back):
    times = (90_000, 90_000 - back, 93_000)
    assert placed(*times) == list(times)


@pytest.mark.parametrize("back", [1, 18_000])
def test_a_step_back_of_up_to_a_fifth_of_a_second_is_left_alone_also_after_the_other_stream_jumped(back):
    jump = (900_000, (900_500, Sound), 0)
    assert placed(*jump, (900_500 - back, Sound)) == [900_000, 900_500, 903_500, 900_500 - back]


def test_a_jump_back_goes_on_a_step_after_the_latest_time():
    assert placed(900_000, 903_000, 0, 3000) == [900_000, 903_000, 906_000, 909_000]


def test_a_wrap_of_the_clock_is_no_jump():
    before = WRAP - STEP
    assert placed(before, 0, STEP) == [before, WRAP, WRAP + STEP]
    late = 10 * 90_000  # the first ten seconds after the wrap got lost
    assert placed(before, late) == [before, WRAP + late]


def test_video_and_sound_jump_to_the_same_place():
    assert placed(900_000, (900_500, Sound), 0, (500, Sound)) == [900_000, 900_500, 903_500, 904_000]


def test_a_jump_ahead_is_kept():
    assert placed(0, 90_000 * 60) == [0, 90_000 * 60]


def test_a_far_jump_ahead_is_believed_when_the_next_packet_confirms_it():
    far = 90_000 * 3600
    assert placed(0, far, STEP) == [0, STEP, STEP]
    assert placed(0, far, far + STEP) == [0, STEP, far + STEP]


def test_a_packet_without_a_time_stays_as_it_is():
    assert placed((None,)) == [None]


@given(st.lists(st.integers(0, WRAP - 1), min_size=1, max_size=50))
def test_times_never_run_back_by_more_than_a_second(times):
    latest = None
    for time in placed(*times):
        assert latest is None or time >= latest - 90_000
        latest = time if latest is None else max(latest, time)


@st.composite
def clocks(draw):
    """Draw the times of video and of its sound, from a clock that runs, wraps, jumps ahead and starts again."""
    clock = draw(st.sampled_from([0, 45_000_000, WRAP - 3 * 90_000]))
    packets = []
    events = st.sampled_from(["runs"] * 9 + ["starts again", "skips", "steps back"])
    for event in draw(st.lists(events, min_size=1, max_size=60)):
        if event == "starts again":
            clock = draw(st.integers(0, WRAP - 1))
        elif event == "skips":
            clock += draw(st.integers(0, 90_000 * 100))
        elif event == "steps back":
            clock -= draw(st.integers(0, 3 * 90_000))
        clock += STEP
        packets.append((clock % WRAP, Stream))
        packets.append(((clock + draw(st.integers(-2000, 2000))) % WRAP, Sound))
    return packets


@given(clocks())
def test_neither_pictures_nor_sound_run_back_by_more_than_a_second(packets):
    latest = {}
    for (_, stream), time in zip(packets, placed(*packets), strict=True):
        assert time >= latest.get(stream, time) - 90_000
        latest[stream] = max(time, latest.get(stream, time))
