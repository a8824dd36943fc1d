import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from byoc_kit.network.run import serving
from byoc_kit.trickle import client
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.client import (
    SegmentPublisher,
    TrickleError,
    client_session,
    publish_message,
    read_channel,
    read_messages,
)
from byoc_kit.trickle.server import create_app

DEADLINE_S = 20


@pytest.fixture
async def http():
    async with client_session() as session:
        yield session


@pytest.fixture
def channels():
    return Channels()


@pytest.fixture
async def url(channels):
    async with serving(create_app(channels=channels)) as base:
        channels.create("ch", "video/MP2T")
        yield f"{base}/ai/trickle/ch"
        channels.close()


@asynccontextmanager
async def fake(*answers):
    """Serve a channel whose GETs answer one after the other; asked sequence numbers are kept in ``asked``."""
    asked = []
    left = list(answers)

    async def get(request):
        asked.append(int(request.match_info["seq"]))
        answer = left.pop(0) if left else closed
        return await answer(request)

    app = web.Application()
    app.router.add_get("/ch/{seq}", get)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/ch", asked
    finally:
        await runner.cleanup()


async def closed(_):
    return web.Response(text="ignore me", headers={"Lp-Trickle-Closed": "terminated"})


def segment(seq, body):
    async def answer(_):
        return web.Response(body=body, headers={"Lp-Trickle-Seq": str(seq)})

    return answer


def status(code, **headers):
    async def answer(_):
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def breaks_off(seq, body):
    async def answer(request):
        response = web.StreamResponse(headers={"Lp-Trickle-Seq": str(seq), "Content-Length": "1000"})
        await response.prepare(request)
        await response.write(body)
        request.transport.abort()
        return response

    return answer


async def collect(http, url, **options):
    async with asyncio.timeout(DEADLINE_S):
        return [(seq, data) async for seq, data in read_channel(http, url, **options)]


async def publish(http, url, *segments):
    publisher = SegmentPublisher(http, url, "video/MP2T")
    running = asyncio.create_task(publisher.run())
    for chunks in segments:
        await publisher.put(None)
        for chunk in chunks:
            await publisher.put(chunk)
    await publisher.finish()
    async with asyncio.timeout(DEADLINE_S):
        await running
    return publisher


async def test_what_is_published_is_read_and_each_segment_ends_with_an_empty_chunk(http, url, channels):
    reading = asyncio.create_task(collect(http, url))
    publisher = await publish(http, url, [b"a", b"b"], [b"c"], [])
    channels.delete("ch")
    assert (publisher.segments, publisher.segments_lost, publisher.bytes_sent) == (3, 0, 3)
    got = await reading
    assert b"".join(data for _, data in got) == b"abc"
    assert {seq for seq, data in got if data == b""} >= {0, 1}


async def test_a_closed_channel_ends_the_reading_without_its_body(http):
    async with fake(closed) as (url, _):
        assert await collect(http, url) == []


async def test_a_channel_that_is_not_there_ends_the_reading(http):
    async with fake(status(404)) as (url, _):
        assert await collect(http, url) == []


async def test_a_missing_segment_is_skipped_to_the_latest(http):
    missing = status(470, Lp_Trickle_Latest="107", Lp_Trickle_Seq="3")
    async with fake(segment(2, b"two"), missing, segment(107, b"new")) as (url, asked):
        assert await collect(http, url, first_seq=2) == [(2, b"two"), (2, b""), (107, b"new"), (107, b"")]
    assert asked == [2, 3, 107, 108]


async def test_a_segment_that_breaks_off_is_resumed_where_it_stopped(http):
    async with fake(breaks_off(5, b"hel"), segment(5, b"hello"), segment(6, b"!")) as (url, asked):
        got = await collect(http, url, first_seq=5)
    assert b"".join(data for _, data in got) == b"hello!"
    assert asked == [5, 5, 6, 7]


async def test_a_server_error_is_tried_again(http):
    async with fake(status(500), status(503), segment(0, b"x")) as (url, _):
        assert (0, b"x") in await collect(http, url)


async def test_a_server_that_never_answers_is_given_up(http, monkeypatch, unused_tcp_port):
    monkeypatch.setattr(client, "GIVE_UP_AFTER_S", 0.2)
    with pytest.raises(TrickleError, match=r"could not be reached for"):
        await collect(http, f"http://127.0.0.1:{unused_tcp_port}/ch")


async def test_a_message_may_span_many_chunks(http):
    long = b'{"text": "' + b"x" * 300_000 + b'"}'
    async with fake(segment(0, long), segment(1, b""), segment(2, b"{}")) as (url, _), asyncio.timeout(DEADLINE_S):
        assert [message async for message in read_messages(http, url)] == [long, b"{}"]


async def test_a_publisher_to_no_channel_ends_and_lets_its_writer_go(http, url):
    publisher = SegmentPublisher(http, url.replace("/ch", "/none"), "video/MP2T", max_chunks=2)
    running = asyncio.create_task(publisher.run())
    async with asyncio.timeout(DEADLINE_S):
        await publisher.put(None)
        for _ in range(20):
            await publisher.put(b"x")
        await publisher.finish()
        await running
    assert not publisher.is_open


async def test_a_message_that_is_not_taken_is_an_error(http, url):
    with pytest.raises(TrickleError, match="did not take a message"):
        await publish_message(http, url.replace("/ch", "/none"), b"{}")
    await publish_message(http, url, b"{}")
    async with http.get(f"{url}/0") as answer:
        assert await answer.read() == b"{}"


async def test_reading_can_be_cancelled_while_the_channel_is_quiet(http, url):
    reading = asyncio.create_task(collect(http, url))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert isinstance(http, aiohttp.ClientSession)
