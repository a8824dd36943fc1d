import asyncio

import pytest

from byoc_kit.trickle import channels as module
from byoc_kit.trickle.channels import (
    Channel,
    ChannelClosedError,
    Channels,
    Segment,
    SegmentFullError,
    SegmentMissingError,
)
from byoc_kit.trickle.protocol import LATEST_WRITTEN, NEXT_WRITE

DEADLINE_S = 60


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def channel(clock):
    return Channel("abc123", "video/MP2T", clock=clock)


async def started(coroutine):
    """Run a coroutine as a task up to its first wait."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    return task


async def test_a_reader_gets_what_is_there_and_then_what_arrives(channel):
    segment = channel.open_for_write(NEXT_WRITE)
    channel.append(segment, b"ab")
    channel.append(segment, b"cd")
    chunks = channel.stream(channel.open_for_read(0))

    assert await anext(chunks) == b"abcd"
    waiting = await started(anext(chunks))
    assert not waiting.done()
    channel.append(segment, b"ef")
    assert await waiting == b"ef"

    channel.finish(segment)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_many_readers_get_the_same_bytes(channel):
    readers = [await started(channel.read(0)) for _ in range(3)]
    channel.publish(b"all of it")
    assert await asyncio.gather(*readers) == [b"all of it"] * 3


async def test_a_reader_waits_for_the_next_segment(channel):
    channel.publish(b"zeroth")
    waiting = await started(channel.read(1))
    assert channel.publish(b"first") == 1
    assert await waiting == b"first"


async def test_a_reader_may_wait_for_segment_1_of_a_channel_without_a_write(channel):
    waiting = await started(channel.read(1))
    channel.publish(b"zeroth")
    channel.publish(b"first")
    assert await waiting == b"first"


def test_minus_1_is_the_next_write(channel):
    channel.publish(b"zeroth")
    assert channel.open_for_read(NEXT_WRITE).seq == 1
    assert channel.open_for_write(NEXT_WRITE).seq == 1


def test_minus_2_is_the_latest_written_and_0_before_the_first(channel):
    assert channel.open_for_read(LATEST_WRITTEN).seq == 0
    channel.publish(b"zeroth")
    channel.publish(b"first")
    assert channel.open_for_read(LATEST_WRITTEN).seq == 1


def test_a_preconnected_publisher_does_not_move_the_write_head(channel):
    segment = channel.open_for_write(0)
    assert channel.next_seq == 0
    channel.append(segment, b"first byte")
    assert channel.next_seq == 1


async def test_an_empty_segment_moves_the_write_head_and_sends_its_reader_on(channel):
    waiting = await started(channel.read(0))
    channel.finish(channel.open_for_write(0))
    with pytest.raises(SegmentMissingError) as caught:
        await waiting
    assert (caught.value.seq, caught.value.latest) == (0, 1)


@pytest.mark.parametrize("seq", [0, 9])
def test_a_segment_outside_the_ring_is_missing_while_the_channel_is_open(channel, seq):
    for number in range(6):
        channel.publish(b"%d" % number)
    with pytest.raises(SegmentMissingError) as caught:
        channel.open_for_read(seq)
    assert (caught.value.seq, caught.value.latest) == (seq, 6)


async def test_the_ring_keeps_the_last_five_segments(channel):
    for number in range(6):
        channel.publish(b"%d" % number)
    assert [await channel.read(seq) for seq in range(1, 6)] == [b"1", b"2", b"3", b"4", b"5"]


async def test_an_overwritten_segment_is_closed_under_its_readers(channel):
    channel.append(channel.open_for_write(0), b"unfinished")
    reader = await started(channel.read(0))
    channel.open_for_write(5)
    assert await reader == b"unfinished"


def test_a_publisher_that_the_ring_has_overtaken_leaves_the_write_head_alone(channel):
    overtaken = channel.open_for_write(0)
    for number in range(1, 6):
        channel.append(channel.open_for_write(number), b"x")
    channel.finish(overtaken)
    assert channel.next_seq == 6


async def test_a_segment_left_open_by_a_failed_publisher_is_continued(channel):
    channel.append(channel.open_for_write(0), b"before, ")
    again = channel.open_for_write(0)
    channel.append(again, b"after")
    channel.finish(again)
    assert await channel.read(0) == b"before, after"


async def test_a_closed_segment_is_begun_again(channel):
    channel.publish(b"old")
    again = channel.open_for_write(0)
    channel.append(again, b"new")
    channel.finish(again)
    assert await channel.read(0) == b"new"


async def test_a_reset_closes_earlier_segments_and_leaves_preconnected_ones_ahead(channel):
    channel.append(channel.open_for_write(0), b"stale")
    ahead = channel.open_for_write(2)
    stale_reader = await started(channel.read(0))
    channel.open_for_write(1, reset=True)
    assert await stale_reader == b"stale"
    assert not ahead.is_closed


async def test_closing_the_channel_ends_a_waiting_reader(channel):
    waiting = await started(channel.read(0))
    channel.close()
    with pytest.raises(ChannelClosedError):
        await waiting


async def test_closing_the_channel_lets_a_reader_finish_what_was_written(channel):
    channel.append(channel.open_for_write(0), b"tail")
    segment = channel.open_for_read(0)
    channel.close()
    assert [chunk async for chunk in channel.stream(segment)] == [b"tail"]


def test_a_closed_channel_opens_nothing(channel):
    channel.close()
    with pytest.raises(ChannelClosedError):
        channel.open_for_read(0)
    with pytest.raises(ChannelClosedError):
        channel.open_for_write(0)


async def test_deleting_the_waited_for_segment_ends_its_reader_and_the_next_reader_waits_again(channel):
    first = await started(channel.read(0))
    channel.close_segment(0)
    with pytest.raises(SegmentMissingError):
        await first
    second = await started(channel.read(0))
    channel.publish(b"zeroth")
    assert await second == b"zeroth"


def test_deleting_a_segment_that_is_not_there_is_an_error(channel):
    with pytest.raises(SegmentMissingError):
        channel.close_segment(3)


async def test_a_segment_is_closed_at_its_size_limit(channel, monkeypatch):
    monkeypatch.setattr(module, "MAX_SEGMENT_BYTES", 4)
    segment = channel.open_for_write(0)
    channel.append(segment, b"1234")
    with pytest.raises(SegmentFullError):
        channel.append(segment, b"5")
    assert await channel.read(0) == b"1234"


def test_creating_an_existing_channel_returns_it(clock):
    channels = Channels(clock=clock)
    channel = channels.create("abc123", "video/MP2T")
    assert channels.create("abc123", "text/plain") is channel
    assert channel.content_type == "video/MP2T"


def test_a_deleted_channel_is_closed_and_forgotten(clock):
    channels = Channels(clock=clock)
    channel = channels.create("abc123", "video/MP2T")
    channels.delete("abc123")
    assert channel.is_closed
    assert channels.find("abc123") is None


def test_a_sweep_deletes_channels_without_a_write_for_five_minutes(clock):
    channels = Channels(clock=clock)
    idle = channels.create("idle", "video/MP2T")
    busy = channels.create("busy", "video/MP2T")
    clock.now_s += 300
    busy.publish(b"x")
    channels.sweep()
    assert not idle.is_closed

    clock.now_s += 1
    channels.sweep()
    assert idle.is_closed
    assert list(channels) == [busy]


async def test_served_channels_are_swept_and_at_the_end_all_closed(clock):
    channels = Channels(clock=clock)
    idle = channels.create("idle", "video/MP2T")
    waiting = await started(idle.read(0))
    async with asyncio.timeout(DEADLINE_S), channels.serving(sweep_interval_s=0):
        clock.now_s += 301
        with pytest.raises(ChannelClosedError):
            await waiting
        last = channels.create("last", "video/MP2T")
    assert last.is_closed


# Segments


async def all_chunks(segment):
    return [chunk async for chunk in segment.chunks()]


async def test_a_reader_gets_what_came_before_it_at_once_and_the_rest_as_it_comes():
    segment = Segment(7)
    segment.append(b"a")
    segment.append(b"b")
    chunks = segment.chunks()
    assert await anext(chunks) == b"ab"
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    assert not waiting.done()
    segment.append(b"c")
    assert await waiting == b"c"
    segment.close()
    assert await anext(chunks, None) is None


async def test_each_reader_gets_all_of_it():
    segment = Segment(0)
    readers = [asyncio.create_task(all_chunks(segment)) for _ in range(3)]
    for data in (b"one", b"two"):
        segment.append(data)
        await asyncio.sleep(0)
    segment.close()
    assert [b"".join(await reader) for reader in readers] == [b"onetwo"] * 3
    assert segment.size == 6


async def test_a_closed_segment_is_read_to_its_end():
    segment = Segment(0)
    segment.append(b"all")
    segment.close()
    assert segment.is_closed
    assert await all_chunks(segment) == [b"all"]


async def test_its_end_is_waited_for_through_what_is_added():
    segment = Segment(0)
    waiting = asyncio.create_task(segment.wait_closed())
    await asyncio.sleep(0)
    segment.append(b"a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    segment.close()
    await waiting
