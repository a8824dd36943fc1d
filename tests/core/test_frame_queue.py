import threading

import pytest

from byoc_kit.core.frame_queue import FrameQueue, Limit

DEADLINE_S = 10


class Beside:
    """A call on a thread of its own, which may wait."""

    def __init__(self, call, *arguments):
        self._thread = threading.Thread(target=self._run, args=(call, *arguments), daemon=True)
        self._thread.start()

    def _run(self, call, *arguments):
        self.returned = call(*arguments)

    @property
    def waits(self):
        return self._thread.is_alive()

    def result(self):
        self._thread.join(DEADLINE_S)
        assert not self.waits
        return self.returned


def queue_of(*items, most=3, **options):
    queue = FrameQueue(most, **options)
    for item in items:
        assert queue.put(item)
    return queue


def rest_of(queue):
    queue.finish()
    return list(iter(queue.take, None))


def test_items_come_out_in_order_and_end_when_nothing_follows():
    assert rest_of(queue_of(1, 2, 3)) == [1, 2, 3]


def test_whoever_puts_one_waits_for_room():
    queue = queue_of(1, 2, 3)
    fourth = Beside(queue.put, 4)
    assert fourth.waits
    assert queue.take() == 1
    assert fourth.result()
    assert rest_of(queue) == [2, 3, 4]
    assert queue.lost == 0


def test_the_oldest_is_dropped_and_counted():
    queue = queue_of(1, 2, 3, 4, 5, drops="oldest")
    assert (rest_of(queue), queue.lost) == ([3, 4, 5], 2)


def test_the_newest_is_dropped_and_counted():
    queue = queue_of(1, 2, 3, drops="newest")
    assert not queue.put(4)
    queue.take()
    assert queue.put(5)
    assert (rest_of(queue), queue.lost) == ([2, 3, 5], 1)


def test_whoever_takes_one_waits_until_it_is_there():
    queue = FrameQueue(1)
    taking = Beside(queue.take)
    assert taking.waits
    queue.put(1)
    assert taking.result() == 1


def test_nothing_within_the_time_is_a_timeout():
    with pytest.raises(TimeoutError):
        FrameQueue(1).take(timeout_s=0)


def test_the_error_it_ended_with_comes_after_what_is_there():
    queue = queue_of(1)
    queue.finish(ValueError("no more"))
    assert queue.take() == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="no more"):
            queue.take()


def test_closing_lets_go_of_who_waits_for_room():
    queue = queue_of(1, 2, 3)
    fourth = Beside(queue.put, 4)
    assert queue.close() == [1, 2, 3]
    assert not fourth.result()
    assert queue.is_closed
    assert queue.take() is None


def test_closing_lets_go_of_who_waits_for_an_item():
    queue = FrameQueue(1)
    taking = Beside(queue.take)
    assert queue.close() == []
    assert taking.result() is None


def test_what_is_put_into_a_closed_queue_is_not_lost_for_want_of_room():
    queue = queue_of(drops="newest")
    queue.close()
    assert not queue.put(1)
    assert queue.lost == 0
    queue.finish(ValueError("no more"))  # nobody is there to hear it
    assert queue.take() is None


def test_a_kind_with_its_own_limit_keeps_its_place_in_the_order():
    sound = Limit(2, drops="newest")
    queue = queue_of("frame 1")
    for number in range(4):
        queue.put(f"sound {number}", sound)
    queue.put("frame 2")
    queue.put("frame 3")
    fourth = Beside(queue.put, "frame 4")
    assert fourth.waits
    assert (queue.lost, sound.lost) == (0, 2)
    assert [queue.take() for _ in range(3)] == ["frame 1", "sound 0", "sound 1"]
    assert fourth.result()
    assert queue.put("sound 4", sound)
    assert rest_of(queue) == ["frame 2", "frame 3", "frame 4", "sound 4"]


def test_a_kind_with_its_own_limit_drops_the_oldest_of_its_kind():
    late = Limit(1, drops="oldest")
    queue = queue_of(1)
    queue.put("a", late)
    queue.put("b", late)
    assert (rest_of(queue), late.lost) == ([1, "b"], 1)


def test_the_newest_can_be_taken_back_where_it_is_of_that_kind():
    queue = queue_of("a", 1, 2)
    assert queue.take_back(str) is None
    waiting = Beside(queue.put, 3)
    assert queue.take_back(int) == 2
    assert waiting.result()
    assert rest_of(queue) == ["a", 1, 3]
    assert FrameQueue(1).take_back(int) is None
