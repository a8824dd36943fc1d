import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from byoc_kit.network.serving import serving
from byoc_kit.trickle import channels as channels_module
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.server import create_app

DEADLINE_S = 10


@pytest.fixture
def channels():
    return Channels()


@pytest.fixture
async def trickle(channels):
    """An HTTP client whose paths are below the trickle server's base path."""
    async with serving(create_app(channels=channels)) as url:
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(f"{url}/ai/trickle/", timeout=timeout) as session:
            yield session


@pytest.fixture
async def channel(trickle, channels):
    async with trickle.post("abc123", headers={"Expect-Content": "video/MP2T"}) as response:
        assert response.status == 200
    return channels.find("abc123")


class Upload:
    """A POST body that is fed by hand."""

    def __init__(self):
        self._chunks = asyncio.Queue(maxsize=8)

    async def send(self, data):
        await self._chunks.put(data)

    async def end(self):
        await self._chunks.put(None)

    async def __aiter__(self):
        while (chunk := await self._chunks.get()) is not None:
            yield chunk


@asynccontextmanager
async def uploading(trickle, path):
    upload = Upload()
    request = asyncio.create_task(post(trickle, path, data=aiter(upload)))
    try:
        yield upload, request
    finally:
        request.cancel()
        await asyncio.wait([request])


@asynccontextmanager
async def preconnecting(trickle, path):
    """Post headers and no body from a bare socket: aiohttp's client holds headers back until the first byte."""
    url = trickle._build_url(path)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"POST {url.path} HTTP/1.1\r\nHost: {url.host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    try:
        yield lambda: asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
    finally:
        writer.close()
        await writer.wait_closed()


async def post(trickle, path, **options):
    async with trickle.post(path, **options) as response:
        await response.read()
        return response


async def get(trickle, path):
    async with trickle.get(path) as response:
        return response, await response.read()


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - what it waits for happens on the other side of a socket
            await asyncio.sleep(0.005)


def readers(channel, seq):
    """Count the tasks that wait for more of a segment."""
    segment = channel._find(seq)
    return len(segment._changed._waiters) if segment else 0


async def test_a_published_segment_is_read_back_with_its_content_type_and_number(trickle, channel):
    published = await post(trickle, "abc123/0", data=b"a GOP")
    assert (published.status, published.headers["Lp-Trickle-Seq"]) == (200, "0")

    response, body = await get(trickle, "abc123/0")
    assert (response.status, body) == (200, b"a GOP")
    assert response.headers["Content-Type"] == "video/MP2T"
    assert response.headers["Lp-Trickle-Seq"] == "0"
    assert response.headers["Lp-Trickle-Latest"] == "1"


async def test_the_headers_come_with_the_first_byte_and_the_bytes_as_they_are_published(trickle, channel):
    reading = asyncio.create_task(trickle.get("abc123/-1"))
    await until(lambda: readers(channel, 0) == 1)
    assert not reading.done()
    async with uploading(trickle, "abc123/0") as (upload, request):
        await upload.send(b"first")
        async with await reading as response:
            assert response.headers["Lp-Trickle-Seq"] == "0"
            assert "Lp-Trickle-Latest" not in response.headers
            assert await response.content.readexactly(5) == b"first"
            await upload.send(b"second")
            assert await response.content.readexactly(6) == b"second"
            await upload.end()
            assert await response.content.read() == b""
        assert (await request).status == 200


async def test_minus_1_publishes_the_next_and_minus_2_reads_the_latest(trickle, channel):
    for body in (b"zeroth", b"first"):
        await post(trickle, "abc123/-1", data=body)
    response, body = await get(trickle, "abc123/-2")
    assert (response.headers["Lp-Trickle-Seq"], body) == ("1", b"first")


async def test_next_answers_the_number_of_the_next_write(trickle, channel):
    await post(trickle, "abc123/4", data=b"x")
    response, body = await get(trickle, "abc123/next")
    assert (response.headers["Lp-Trickle-Latest"], body) == ("5", b"5")


async def test_a_missing_segment_answers_470_with_the_write_head(trickle, channel):
    await post(trickle, "abc123/0", data=b"x")
    response, _ = await get(trickle, "abc123/7")
    assert response.status == 470
    assert response.headers["Lp-Trickle-Latest"] == "1"
    assert response.headers["Lp-Trickle-Seq"] == "7"


async def test_an_empty_post_advances_the_channel_and_answers_its_reader_470(trickle, channel):
    reading = asyncio.create_task(get(trickle, "abc123/0"))
    await until(lambda: readers(channel, 0) == 1)
    assert (await post(trickle, "abc123/0")).status == 200
    response, _ = await reading
    assert (response.status, response.headers["Lp-Trickle-Latest"]) == (470, "1")


async def test_deleting_a_channel_ends_its_waiting_reader_with_terminated(trickle, channel):
    reading = asyncio.create_task(get(trickle, "abc123/0"))
    await until(lambda: readers(channel, 0) == 1)
    async with trickle.delete("abc123") as response:
        assert response.status == 200
    response, _ = await reading
    assert (response.status, response.headers["Lp-Trickle-Closed"]) == (200, "terminated")


async def test_deleting_a_channel_ends_its_waiting_publisher_with_terminated(trickle, channel):
    async with preconnecting(trickle, "abc123/0") as answer:
        await until(lambda: readers(channel, 0) == 1)
        await trickle.delete("abc123")
        head = await answer()
    assert head.startswith(b"HTTP/1.1 200")
    assert b"lp-trickle-closed: terminated" in head


async def test_deleting_a_segment_ends_its_waiting_publisher_and_advances(trickle, channel):
    async with preconnecting(trickle, "abc123/0") as answer:
        await until(lambda: readers(channel, 0) == 1)
        await trickle.delete("abc123/0")
        assert (await answer()).startswith(b"HTTP/1.1 200")
    assert channel.next_seq == 1


async def test_deleting_a_segment_that_is_not_there_is_a_400(trickle, channel):
    async with trickle.delete("abc123/3") as response:
        assert response.status == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "other/0"), ("GET", "other/next"), ("POST", "other/0"), ("DELETE", "other"), ("DELETE", "other/0")],
)
async def test_a_channel_that_does_not_exist_is_a_404(trickle, channel, method, path):
    async with trickle.request(method, path) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "a%20b"),
        ("POST", "a/b/0"),
        ("GET", "a/b/next"),
        ("GET", "abc123/x"),
        ("GET", "abc123/-3"),
        ("POST", "abc123/-2"),
        ("DELETE", "abc123/-1"),
    ],
)
async def test_a_name_of_more_than_one_element_or_a_bad_number_is_a_400(trickle, channel, method, path):
    async with trickle.request(method, path) as response:
        assert response.status == 400


async def test_a_publisher_that_breaks_off_leaves_its_segment_open(trickle, channel):
    async with uploading(trickle, "abc123/0") as (upload, _):
        await upload.send(b"before, ")
        await until(lambda: channel.next_seq == 1)
    await until(lambda: readers(channel, 0) == 0)
    assert not channel._find(0).is_closed

    await post(trickle, "abc123/0", data=b"after")
    assert (await get(trickle, "abc123/0"))[1] == b"before, after"


async def test_a_reset_ends_readers_of_earlier_segments(trickle, channel):
    async with uploading(trickle, "abc123/0") as (upload, stale):
        await upload.send(b"stale")
        async with trickle.get("abc123/0") as response:
            await post(trickle, "abc123/1", data=b"new", headers={"Lp-Trickle-Reset": "1"})
            assert await response.read() == b"stale"
        assert (await stale).status == 200


async def test_a_segment_over_the_size_limit_is_refused_with_413(trickle, channel, monkeypatch):
    monkeypatch.setattr(channels_module, "MAX_SEGMENT_BYTES", 4)
    assert (await post(trickle, "abc123/0", data=b"12345")).status == 413


async def test_a_reader_that_leaves_ends_its_request(trickle, channel):
    reading = asyncio.create_task(get(trickle, "abc123/0"))
    await until(lambda: readers(channel, 0) == 1)
    reading.cancel()
    await until(lambda: readers(channel, 0) == 0)


async def test_stopping_the_server_ends_a_waiting_reader_with_terminated(channels):
    channel = channels.create("abc123", "video/MP2T")
    async with asyncio.timeout(DEADLINE_S), aiohttp.ClientSession() as session:
        async with serving(create_app(channels=channels)) as url:
            reading = asyncio.create_task(get(session, f"{url}/ai/trickle/abc123/0"))
            await until(lambda: readers(channel, 0) == 1)
        response, _ = await reading
    assert response.headers["Lp-Trickle-Closed"] == "terminated"


async def test_the_base_path_can_be_chosen():
    async with serving(create_app(base_path="/t/")) as url, aiohttp.ClientSession() as session:
        assert (await post(session, f"{url}/t/abc123")).status == 200
