import threading

import numpy as np
import pytest
from av.packet import Packet
from media_rig import Segments

from byoc_kit.core.frames import VideoFrame
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.server.outbox import MAX_AUDIO, MAX_FRAMES, Outbox

DEADLINE_S = 10


def frame(pts=0):
    return VideoFrame.from_pixels(np.zeros((2, 2, 3), np.uint8), pts=pts)


@pytest.fixture
def full():
    """An outbox with as many frames as it takes, and a thread that waits to put one more."""
    outbox = Outbox()
    for pts in range(MAX_FRAMES):
        outbox.put_frame(frame(pts))
    thread = threading.Thread(target=outbox.put_frame, args=(frame(MAX_FRAMES),), daemon=True)
    thread.start()
    yield outbox, thread
    outbox.abandon()
    thread.join(DEADLINE_S)


def test_items_come_out_in_order_and_end_when_nothing_follows():
    outbox, packet = Outbox(), Packet(1)
    outbox.put_frame(frame(1))
    outbox.put_audio(packet)
    outbox.finish()
    assert outbox.take().pts == 1
    assert outbox.take() is packet
    assert outbox.take() is None


def test_a_frame_waits_for_room_and_sound_does_not_take_it(full):
    outbox, thread = full
    outbox.put_audio(Packet(1))
    assert thread.is_alive()
    outbox.take()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_sound_never_waits_and_is_counted_where_there_is_no_room():
    outbox = Outbox()
    outbox.put_frame(frame())  # takes no room of the sound's
    for _ in range(MAX_AUDIO + 3):
        outbox.put_audio(Packet(1))
    assert outbox.audio_lost == 3
    outbox.take()
    outbox.take()
    outbox.put_audio(Packet(1))
    assert outbox.audio_lost == 3


def test_an_abandoned_outbox_lets_go_of_who_waits_and_gives_nothing_any_more(full):
    outbox, thread = full
    outbox.abandon()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    outbox.put_frame(frame())
    assert outbox.take() is None
    assert outbox.is_abandoned


def test_a_writer_that_nobody_takes_is_closed():
    outbox, writers = Outbox(), []
    for _ in range(2):
        writer = SegmentWriter(Segments())
        writer.write_frame(VideoFrame.from_pixels(np.zeros((48, 64, 3), np.uint8)))
        writers.append(writer)
    outbox.put_writer(writers[0])
    outbox.abandon()
    outbox.put_writer(writers[1])
    assert [writer._encoder for writer in writers] == [None, None]


def test_writers_of_which_nothing_is_written_do_not_pile_up():
    outbox = Outbox()
    writers = [SegmentWriter(Segments()) for _ in range(4)]
    outbox.put_writer(writers[0])
    outbox.put_frame(frame())
    for writer in writers[1:]:
        outbox.put_writer(writer)
    outbox.finish()
    taken = list(iter(outbox.take, None))
    assert [taken[0], *taken[2:]] == [writers[0], writers[3]]
    for writer in writers:
        writer.close()
