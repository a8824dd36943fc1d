import asyncio

from byoc_kit.trickle.pipes import ByteInlet

DEADLINE_S = 20


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
