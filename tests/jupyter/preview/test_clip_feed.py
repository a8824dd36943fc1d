import threading
import weakref

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.sources.synthetic import Synthetic, read_number

DEADLINE_S = 20


class Sink:
    """Keeps the numbers of the frames that were submitted, as their pixels say them."""

    def __init__(self):
        self.numbers = []
        self.events = 0
        self._changed = threading.Condition()

    def submit(self, frame):
        number = read_number(frame.pixels)
        assert frame.side_data.position.number == number
        with self._changed:
            self.numbers.append(number)
            self._changed.notify_all()

    def on_event(self):
        with self._changed:
            self.events += 1
            self._changed.notify_all()

    def wait_for(self, claim):
        with self._changed:
            assert self._changed.wait_for(lambda: claim(self.numbers), DEADLINE_S), self.numbers


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def make_feed(sink):
    made = []

    def make(count=20, fps=500.0, clip=None, room=None):
        feed = ClipFeed(clip or Synthetic("ramp", width=160, height=96, count=count), fps=fps, room=room)
        made.append(feed)
        feed.start(sink.submit, sink.on_event)
        return feed

    yield make
    for feed in made:
        feed.close()


def test_it_starts_held_with_its_first_frame(make_feed, sink):
    feed = make_feed()
    sink.wait_for(lambda numbers: numbers == [0])
    assert not feed.is_playing


def test_it_plays_each_frame_in_order_and_begins_again(make_feed, sink):
    make_feed(count=5).play()
    sink.wait_for(lambda numbers: len(numbers) >= 12)
    assert sink.numbers[:12] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_without_a_loop_it_ends_and_plays_from_the_start_again(make_feed, sink):
    feed = make_feed(count=5)
    feed.set_looping(False)
    feed.play()
    sink.wait_for(lambda numbers: numbers == [0, 1, 2, 3, 4] and not feed.is_playing)
    feed.play()
    sink.wait_for(lambda numbers: numbers == [0, 1, 2, 3, 4] * 2)


def test_each_step_is_one_frame_either_way(make_feed, sink):
    feed = make_feed()
    feed.seek(12)
    sink.wait_for(lambda numbers: numbers[-1:] == [12])
    for step, number in ((1, 13), (1, 14), (-1, 13), (-1, 12), (-1, 11), (-5, 6), (10, 16), (-1, 15), (1, 16), (1, 17)):
        feed.step(step)
        sink.wait_for(lambda numbers, number=number: numbers[-1:] == [number])
        assert feed.position.number == number
    assert not feed.is_playing


class Slow(Synthetic):
    """Waits with each frame from the second on until it may go."""

    def __init__(self):
        super().__init__("ramp", width=160, height=96, count=20)
        self.is_asked, self.may_go = threading.Event(), threading.Event()

    def frames(self, start=0):
        for number, frame in enumerate(super().frames(start), start):
            if number > 0:
                self.is_asked.set()
                assert self.may_go.wait(DEADLINE_S)
            yield frame


def test_steps_are_counted_from_the_frame_that_is_still_being_read(make_feed, sink):
    clip = Slow()
    feed = make_feed(clip=clip)
    sink.wait_for(lambda numbers: numbers == [0])
    feed.seek(9)
    assert clip.is_asked.wait(DEADLINE_S)
    for _ in range(3):
        feed.step(-1)
    clip.may_go.set()
    sink.wait_for(lambda numbers: numbers == [0, 9, 6])


def test_playing_goes_on_from_the_frame_that_is_still_being_read(make_feed, sink):
    clip = Slow()
    clip.may_go.set()
    feed = make_feed(clip=clip, room=0)
    feed.seek(19)
    sink.wait_for(lambda numbers: numbers[-1:] == [19])
    clip.may_go.clear()
    clip.is_asked.clear()
    feed.seek(3)
    assert clip.is_asked.wait(DEADLINE_S)
    feed.play()
    clip.may_go.set()
    sink.wait_for(lambda numbers: numbers[numbers.index(19) :][:4] == [19, 3, 4, 5])


def test_stepping_stops_at_the_ends(make_feed, sink):
    feed = make_feed(count=4)
    feed.step(-3)
    feed.step(99)
    sink.wait_for(lambda numbers: numbers[-1:] == [3])
    feed.seek(-7)
    sink.wait_for(lambda numbers: numbers[-1:] == [0])


def test_a_jump_while_playing_goes_on_from_there(make_feed, sink):
    feed = make_feed(count=300, fps=100)
    feed.play()
    sink.wait_for(lambda numbers: len(numbers) > 3)
    feed.seek(200)
    sink.wait_for(lambda numbers: 203 in numbers)
    at = sink.numbers.index(200)
    assert sink.numbers[at : at + 4] == [200, 201, 202, 203]


def test_the_held_frame_comes_again(make_feed, sink):
    feed = make_feed()
    feed.seek(7)
    sink.wait_for(lambda numbers: numbers[-1:] == [7])
    feed.again()
    sink.wait_for(lambda numbers: numbers[-2:] == [7, 7])


def test_a_playing_feed_brings_nothing_again(make_feed, sink):
    feed = make_feed(count=50)
    feed.play()
    sink.wait_for(lambda numbers: len(numbers) > 5)
    feed.again()
    sink.wait_for(lambda numbers: len(numbers) > 20)
    assert all(later != before for before, later in zip(sink.numbers, sink.numbers[1:], strict=False))


def test_its_pace_is_that_of_the_clip_source_whatever_the_speed(make_feed):
    feed = make_feed(fps=None)
    feed.set_speed(0.5)
    assert feed.fps == 30
    with pytest.raises(ByocKitError, match="the speed must be above 0, not 0"):
        feed.set_speed(0)


FRAME_BYTES = 160 * 96 * 3


class Counting(Synthetic):
    """Notes the number of each frame that was read."""

    def __init__(self, count):
        super().__init__("ramp", width=160, height=96, count=count)
        self.read = []

    def frames(self, start=0):
        for number, frame in enumerate(super().frames(start), start):
            self.read.append(number)
            yield frame


def test_a_clip_source_that_has_room_is_read_once(make_feed, sink):
    clip = Counting(count=5)
    feed = make_feed(clip=clip, room=5 * FRAME_BYTES)
    feed.play()
    sink.wait_for(lambda numbers: numbers[:12] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1])
    feed.step(-1)
    feed.seek(3)
    sink.wait_for(lambda numbers: numbers[-1:] == [3])
    assert clip.read == [0, 1, 2, 3, 4]


def test_a_clip_source_without_room_is_read_in_each_loop(make_feed, sink):
    clip = Counting(count=5)
    make_feed(clip=clip, room=5 * FRAME_BYTES - 1).play()
    sink.wait_for(lambda numbers: len(numbers) >= 12)
    assert clip.read[:12] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_at_rest_it_keeps_no_frames(make_feed, sink):
    clip = Counting(count=5)
    feed = make_feed(clip=clip, room=5 * FRAME_BYTES)
    for number in (0, 4, 0, 3):
        feed.seek(number)
        sink.wait_for(lambda numbers, number=number: numbers[-1:] == [number])
    feed.rest()
    feed.seek(4)
    sink.wait_for(lambda numbers: numbers[-2:] == [3, 4])
    assert clip.read == [0, 4, 3, 4]
    at = len(sink.numbers)
    feed.play()
    sink.wait_for(lambda numbers: numbers[at : at + 6] == [0, 1, 2, 3, 4, 0])
    assert clip.read[4:8] == [0, 1, 2, 3]


def test_after_a_jump_the_frames_between_are_read_when_they_are_played(make_feed, sink):
    clip = Counting(count=8)
    feed = make_feed(clip=clip, room=8 * FRAME_BYTES)
    sink.wait_for(lambda numbers: numbers == [0])
    feed.seek(5)
    sink.wait_for(lambda numbers: numbers == [0, 5])
    feed.play()
    sink.wait_for(lambda numbers: numbers[:13] == [0, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0])
    assert sorted(clip.read) == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_closed_feed_keeps_no_frames(make_feed, sink):
    feed = make_feed(clip=Synthetic("ramp", width=160, height=96, count=5))
    feed.play()
    sink.wait_for(lambda numbers: len(numbers) >= 7)
    kept = weakref.WeakSet(feed._kept._frames.values())
    assert len(kept) == 5
    feed.close()
    assert len(kept) == 0
    assert feed._held is None


def test_what_one_loop_notes_with_a_frame_is_gone_in_the_next(make_feed, sink):
    noted = []
    submit = sink.submit

    def noting(frame):
        noted.append(getattr(frame.side_data, "mask", None))
        frame.side_data.mask = "of this loop"
        submit(frame)

    sink.submit = noting
    make_feed(count=2).play()
    sink.wait_for(lambda numbers: len(numbers) >= 5)
    assert set(noted) == {None}


class Shrinking:
    """A damaged clip: it turns out to have fewer frames than it said."""

    name = "damaged.mp4"
    fps = 25.0

    def __init__(self, said, has):
        self._has = has
        self._clip = Synthetic("ramp", width=160, height=96, count=said)
        self.count = said

    def time_s(self, number):
        return number / self.fps

    def frames(self, start=0):
        for number, frame in enumerate(self._clip.frames(start), start):
            if number >= self._has:
                self.count = self._has
                return
            yield frame


def test_a_clip_source_that_is_shorter_than_it_said_begins_again(make_feed, sink):
    make_feed(clip=Shrinking(said=9, has=3)).play()
    sink.wait_for(lambda numbers: len(numbers) >= 7)
    assert sink.numbers[:7] == [0, 1, 2, 0, 1, 2, 0]


def test_a_jump_to_a_frame_that_is_not_there_after_all_shows_the_last(make_feed, sink):
    feed = make_feed(clip=Shrinking(said=9, has=3))
    sink.wait_for(lambda numbers: numbers == [0])
    feed.seek(7)
    sink.wait_for(lambda numbers: numbers[-1:] == [2])
    assert feed.error == ""


class Holed(Shrinking):
    """A damaged clip: when it is read past frame 1, its frame 2 turns out not to be there."""

    def frames(self, start=0):
        for number, frame in enumerate(self._clip.frames(start), start):
            if number == 2:
                self.count = self._has
            else:
                yield frame


def test_frames_that_were_kept_under_a_number_that_was_wrong_are_read_again(make_feed, sink):
    shown = []

    def submit(frame):
        shown.append((frame.side_data.position.number, read_number(frame.pixels)))
        with sink._changed:
            sink._changed.notify_all()

    sink.submit = submit
    feed = make_feed(clip=Holed(said=6, has=5))
    feed.seek(4)
    sink.wait_for(lambda _: shown[-1:] == [(4, 4)])
    feed.set_looping(False)
    feed.seek(0)
    sink.wait_for(lambda _: shown[-1:] == [(0, 0)])
    feed.play()
    sink.wait_for(lambda _: shown[-5:] == [(0, 0), (1, 1), (2, 3), (3, 4), (4, 5)])


def test_a_clip_source_that_breaks_off_says_so_and_stops(make_feed, sink):
    class Broken(Shrinking):
        def frames(self, start=0):
            yield from super().frames(start)
            raise ByocKitError("the disk is gone; plug it in again")

    feed = make_feed(clip=Broken(said=9, has=3))
    feed.play()
    sink.wait_for(lambda numbers: sink.events > 0 and feed.error)
    assert feed.error == "the disk is gone; plug it in again"
    assert not feed.is_playing
