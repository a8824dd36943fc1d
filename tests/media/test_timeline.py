import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoc_kit.media.programs import WRAP, Timeline

STEP = 3000


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
