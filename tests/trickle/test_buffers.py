import asyncio
import threading
from contextlib import contextmanager

import pytest
from trickle_rig import DEADLINE_S, until

from byoc_kit.trickle.buffers import ByteInlet, SegmentBuffer


@contextmanager
def writing(buffer, *items):
    """Put items from a thread; ``done`` has those that went in."""
    done = []

    def put():
        for item in items:
            buffer.put_from_thread(item)
            done.append(item)

    thread = threading.Thread(target=put, name="writer", daemon=True)
    thread.start()
    try:
        yield done, thread
    finally:
        buffer.close()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


async def segments(buffer):
    """Take all that comes, to the end."""
    taken = []
    async with asyncio.timeout(DEADLINE_S):
        while await buffer.next_segment():
            taken.append(await rest(buffer))
    return taken


async def rest(buffer):
    chunks = []
    while (chunk := await buffer.next_chunk()) is not None:
        chunks.append(chunk)
    return chunks


async def test_segments_come_out_as_a_thread_put_them_in():
    buffer = SegmentBuffer()
    with writing(buffer, b"lost", None, b"a", b"", b"b", None, None, b"c") as (_, thread):
        taking = asyncio.create_task(segments(buffer))
        await asyncio.to_thread(thread.join)
        buffer.finish()
        assert await taking == [[b"a", b"b"], [], [b"c"]]


async def test_the_rest_of_a_segment_is_dropped_by_going_to_the_next():
    buffer = SegmentBuffer()
    for item in (None, b"a", b"b", b"c", None, b"d"):
        await buffer.put(item)
    buffer.finish()
    assert await buffer.next_segment()
    assert await buffer.next_chunk() == b"a"
    assert await segments(buffer) == [[b"d"]]


async def test_a_thread_waits_while_the_buffer_is_full_and_goes_on_when_there_is_room():
    buffer = SegmentBuffer(max_bytes=10)
    with writing(buffer, None, b"x" * 9, b"y", b"z") as (done, thread):
        await until(lambda: len(done) == 2)
        assert thread.is_alive()
        assert await buffer.next_segment()
        assert [await buffer.next_chunk() for _ in range(3)] == [b"x" * 9, b"y", b"z"]
        await until(lambda: not thread.is_alive())


@pytest.mark.parametrize("end", ["close", "finish"])
async def test_a_thread_that_waits_for_room_is_let_go_at_the_end(end):
    buffer = SegmentBuffer(max_bytes=4)
    with writing(buffer, None, b"xxxx", *[b"y"] * 50) as (done, thread):
        await until(lambda: len(done) == 2)
        getattr(buffer, end)()
        await until(lambda: not thread.is_alive())
    assert await segments(buffer) == []


async def test_what_was_there_before_finish_is_still_taken():
    buffer = SegmentBuffer()
    for item in (None, b"a"):
        await buffer.put(item)
    buffer.finish()
    await buffer.put(b"too late")
    assert await segments(buffer) == [[b"a"]]


async def test_a_writer_on_the_loop_waits_too_and_is_let_go_at_the_end():
    buffer = SegmentBuffer(max_bytes=4)
    await buffer.put(b"xxxx")
    writers = [asyncio.create_task(buffer.put(b"yyyy")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(writer.done() for writer in writers)
    buffer.close()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*writers)


async def test_segments_without_a_byte_are_bounded_too():
    buffer = SegmentBuffer(max_bytes=100)
    with writing(buffer, *[None] * 101) as (done, thread):
        await until(lambda: len(done) == 100)
        assert thread.is_alive()


async def test_the_loop_is_woken_only_while_it_waits(monkeypatch):
    buffer = SegmentBuffer()
    loop = asyncio.get_running_loop()
    wakes = []
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda wake: wakes.append(loop.call_soon(wake)))
    taking = asyncio.create_task(segments(buffer))
    await asyncio.sleep(0)
    for item in (None, *[b"x"] * 1000):
        buffer._add(item)  # as a thread does while the loop is at something else
    assert len(wakes) == 1
    buffer.finish()
    assert await taking == [[b"x"] * 1000]
    assert len(wakes) == 1


async def test_the_waits_of_the_last_600_chunks_are_kept():
    buffer = SegmentBuffer()
    await buffer.put(None)
    for _ in range(601):
        await buffer.put(b"x")
    buffer.finish()
    await segments(buffer)
    assert len(buffer.waits_s) == 600
    assert all(wait_s >= 0 for wait_s in buffer.waits_s)


async def test_a_reader_that_is_cancelled_takes_nothing_with_it():
    buffer = SegmentBuffer()
    await buffer.put(None)
    await buffer.next_segment()
    taking = asyncio.create_task(buffer.next_chunk())
    await asyncio.sleep(0)
    await buffer.put(b"a")
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await buffer.next_chunk() == b"a"


def test_a_thread_that_outlives_the_loop_is_not_bothered():
    async def make():
        buffer = SegmentBuffer()
        taking = asyncio.create_task(buffer.next_chunk())
        await asyncio.sleep(0)
        taking.cancel()
        return buffer

    buffer = asyncio.run(make())
    buffer.put_from_thread(None)
    buffer.put_from_thread(b"x")


async def test_bytes_come_out_as_they_went_in_whatever_the_read_size():
    inlet = ByteInlet()
    for data in (b"abc", b"", b"defgh", b"i"):  # an empty one must not look like the end
        await inlet.feed(data)
    inlet.end()
    parts = []
    while part := inlet.read(2):
        assert len(part) <= 2
        parts.append(part)
    assert b"".join(parts) == b"abcdefghi"


async def test_a_feeder_waits_while_the_reader_is_far_behind():
    inlet = ByteInlet(max_buffered=10)
    await inlet.feed(b"x" * 11)
    feeding = asyncio.create_task(inlet.feed(b"y"))
    await asyncio.sleep(0)
    assert not feeding.done()
    assert await asyncio.to_thread(inlet.read) == b"x" * 11
    async with asyncio.timeout(DEADLINE_S):
        await feeding


async def test_end_lets_a_waiting_feeder_and_a_blocked_reader_go():
    full = ByteInlet(max_buffered=1)
    await full.feed(b"xx")
    feeding = asyncio.create_task(full.feed(b"y"))
    empty = ByteInlet()
    reading = asyncio.create_task(asyncio.to_thread(empty.read))
    await asyncio.sleep(0)
    full.end()
    empty.end()
    async with asyncio.timeout(DEADLINE_S):
        await feeding
        assert await reading == b""
