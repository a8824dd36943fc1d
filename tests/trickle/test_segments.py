import asyncio

from byoc_kit.trickle.channels import Segment


async def read(segment):
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
    readers = [asyncio.create_task(read(segment)) for _ in range(3)]
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
    assert await read(segment) == [b"all"]


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
