import asyncio
import logging
import threading
from contextlib import aclosing, asynccontextmanager

import aiohttp
import pytest
from trickle_rig import DEADLINE_S, closed, raw, reads_body, reset, silent, stalled, status, until

from byoc_kit.trickle import connection, publisher
from byoc_kit.trickle.connection import TrickleError
from byoc_kit.trickle.publisher import SegmentPublisher, publish_message
from byoc_kit.trickle.subscriber import read_channel

RESET = "Lp-Trickle-Reset"


@pytest.fixture
def taking(rogue):
    """A server that takes every segment."""
    rogue.always("GET", status(404))
    rogue.always("POST", status(200))
    rogue.always("DELETE", status(200))
    return rogue


@asynccontextmanager
async def publishing(http, url, **options):
    """Run a publisher during the body; ``it.task`` is its run."""
    it = SegmentPublisher(http, url, "video/MP2T", **options)
    it.task = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        it.task.cancel()
        await asyncio.wait([it.task])


async def publish(http, url, *segments, **options):
    async with publishing(http, url, **options) as it:
        for chunks in segments:
            await it.put(None)
            for chunk in chunks:
                await it.put(chunk)
        await it.finish()
        async with asyncio.timeout(DEADLINE_S):
            await it.task
    return it


async def test_each_segment_is_a_post_and_the_channel_is_deleted_at_the_end(http, taking):
    it = await publish(http, taking.url, [b"a", b"b"], [b"c"], [])
    assert taking.asked == ["GET next", "POST 0", "POST 1", "POST 2", "DELETE ch"]
    assert taking.bodies == [b"ab", b"c", b""]
    assert [exchange.header("Content-Type") for exchange in taking.exchanges[1:4]] == ["video/MP2T"] * 3
    assert (it.segments, it.segments_lost, it.ended) == (3, 0, None)
    assert len(it.waits_s) == 3


async def test_a_reader_that_is_a_few_segments_behind_still_gets_the_tail(http, url, channels, monkeypatch):
    monkeypatch.setattr(connection, "TAIL_S", 3600)
    async with publishing(http, url) as it:
        for number in range(5):
            await it.put(None)
            await it.put(b"%d" % number)
        await it.finish()
        await until(lambda: it.segments == 5)
        assert not it.task.done()
        chunks = aiter(read_channel(http, url, first_seq=0))
        async with asyncio.timeout(DEADLINE_S), aclosing(chunks):
            assert [(await anext(chunks))[1] for _ in range(10)] == [
                b"0",
                b"",
                b"1",
                b"",
                b"2",
                b"",
                b"3",
                b"",
                b"4",
                b"",
            ]


async def test_publishing_begins_at_the_write_head(http, url, channels):
    channel = channels.find("ch")
    for _ in range(7):
        channel.publish(b"old")
    reading = asyncio.create_task(channel.read(7))
    await publish(http, url, [b"new"])
    assert channel.next_seq == 8
    assert await reading == b"new"


@pytest.mark.parametrize(
    "answer",
    [status(404), status(400), lambda it: it.send(200, {}, b"Hello"), raw(b"\x00nonsense\r\n\r\n")],
    ids=["404", "400", "no number", "nonsense"],
)
async def test_publishing_begins_at_0_where_the_server_names_no_number(http, taking, answer):
    taking.on("GET next", answer)
    await publish(http, taking.url, [b"a"])
    assert "POST 0" in taking.asked


async def test_a_server_that_cannot_say_its_number_yet_is_asked_again(http, taking, monkeypatch):
    monkeypatch.setattr(connection, "_FIRST_BACKOFF_S", 0)
    taking.on("GET next", status(502), status(500), raw(b""), lambda it: it.send(200, {}, b"7"))
    await publish(http, taking.url, [b"a"])
    assert taking.asked == ["GET next"] * 4 + ["POST 7", "DELETE ch"]


async def test_a_server_that_never_says_its_number_is_given_up_and_why(http, taking, impatient):
    taking.always("GET", status(502))
    async with publishing(http, taking.url) as it:
        with pytest.raises(TrickleError, match=r"has failed for .*502"):
            await it.task
    assert "502" in it.ended
    assert set(taking.asked) == {"GET next"}


async def test_a_segment_is_streamed_while_it_is_made(http, url, channels):
    async with publishing(http, url) as it:
        await it.put(None)
        await it.put(b"first")
        async with http.get(f"{url}/0") as answer:
            assert await answer.content.readexactly(5) == b"first"
            await it.put(b"second")
            assert await answer.content.readexactly(6) == b"second"


async def test_a_segment_that_somebody_left_open_is_closed_for_its_readers(http, url, channels):
    channel = channels.find("ch")
    channel.append(channel.open_for_write(0), b"half a segm")
    reading = [asyncio.create_task(channel.read(seq)) for seq in (0, 1)]
    await publish(http, url, [b"a"])
    async with asyncio.timeout(DEADLINE_S):
        assert [await task for task in reading] == [b"half a segm", b"a"]


@reads_body
async def resets_in_mid_segment(it):
    await it.chunk()
    reset(it.writer)


@pytest.mark.parametrize(
    "fault",
    [status(500), status(413), resets_in_mid_segment, raw(b"\x00nonsense\r\n\r\n")],
    ids=["500", "413", "reset", "nonsense"],
)
async def test_a_segment_that_fails_is_lost_and_the_next_goes_on_with_a_reset(http, taking, fault):
    taking.on("POST 1", fault)
    it = await publish(http, taking.url, [b"a"], [b"b", b"b"], [b"c"], [b"d"])
    assert (it.segments, it.segments_lost) == (3, 1)
    posts = [exchange for exchange in taking.exchanges if exchange.method == "POST"]
    assert [(post.seq, post.header(RESET)) for post in posts] == [("0", "1"), ("1", None), ("2", "1"), ("3", None)]


async def test_a_segment_that_the_server_ends_early_is_lost_and_its_rest_is_dropped(http, taking):
    @reads_body
    async def enough(it):
        await it.chunk()
        await it.send(200)

    taking.on("POST 0", enough)
    async with publishing(http, taking.url) as it:
        await it.put(None)
        await it.put(b"a")
        await until(lambda: it.segments_lost == 1)
        await it.put(b"the rest")
        await it.put(None)
        await it.put(b"b")
        await it.finish()
        async with asyncio.timeout(DEADLINE_S):
            await it.task
    assert taking.bodies == [b"b"]
    assert it.segments == 1


@pytest.mark.parametrize(
    ("answer", "reason"), [(status(404), "the channel is not there"), (closed, "the channel was closed")]
)
async def test_a_channel_that_is_over_ends_the_run_and_says_why(http, taking, answer, reason):
    taking.on("POST 1", answer)
    async with publishing(http, taking.url, max_bytes=4) as it:
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(20):  # more than the buffer holds: a writer must not wait for ever
                await it.put(None)
                await it.put(b"x")
            await it.finish()
            await it.task
    assert (it.ended, it.segments) == (reason, 1)
    assert "DELETE ch" not in taking.asked


async def test_a_channel_that_is_deleted_in_mid_segment_ends_the_run(http, url, channels):
    async with publishing(http, url) as it:
        await it.put(None)
        await it.put(b"x")
        await until(lambda: channels.find("ch").next_seq == 1)
        channels.delete("ch")
        async with asyncio.timeout(DEADLINE_S):
            await it.task
    assert it.ended == "the channel was closed"


async def test_a_server_out_of_reach_is_given_up(http, free_port, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.2)
    async with publishing(http, f"http://127.0.0.1:{free_port}/ch") as it:
        await it.put(None)
        with pytest.raises(TrickleError, match="has failed for"):
            await it.task
    assert "has failed for" in it.ended


@pytest.fixture
def impatient(monkeypatch):
    """Give up at the second failure in a row, and take any request for one that was open for long."""
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    monkeypatch.setattr(connection, "_FIRST_BACKOFF_S", 0)
    monkeypatch.setattr(connection, "_SURELY_CONNECTED_S", 0)


@pytest.mark.parametrize("fault", [status(504), raw(b"")], ids=["504", "hung up"])
async def test_segments_that_were_open_for_long_before_they_failed_do_not_end_the_run(http, taking, impatient, fault):
    for seq in range(3):
        taking.on(f"POST {seq}", fault)
    it = await publish(http, taking.url, *[[b"a"]] * 4)
    assert (it.segments, it.segments_lost, it.ended) == (1, 3, None)


async def test_a_server_that_never_answers_is_given_up_however_long_the_segments_are(
    http, taking, impatient, monkeypatch
):
    monkeypatch.setattr(publisher, "_SEGMENT_TIMEOUT", aiohttp.ClientTimeout(sock_read=0.1))
    taking.always("POST", silent)
    with pytest.raises(TrickleError, match="has failed for"):
        await publish(http, taking.url, *[[b"a"]] * 4)


async def test_a_server_that_is_back_gets_the_segments_from_then_on(http, wire, channels):
    async with publishing(http, wire.url) as it:
        await it.put(None)
        await it.put(b"before")
        await until(lambda: channels.find("ch").next_seq == 1)
        await wire.cut()
        await asyncio.sleep(1)
        await wire.join()

        async def goes_on():
            await it.put(None)
            await it.put(b"after")

        async with asyncio.timeout(DEADLINE_S):
            while it.segments == 0:  # as an encoder does
                await goes_on()
                await asyncio.sleep(0.02)
    assert it.segments_lost
    written = {segment.seq: b"".join(segment._chunks) for segment in channels.find("ch")._ring.values()}
    assert b"after" in written.values()
    assert not any(b"before" in body and b"after" in body for body in written.values())


async def test_a_server_that_is_back_without_its_channels_ends_the_run(http, wire, channels):
    async with publishing(http, wire.url) as it:
        await it.put(None)
        await it.put(b"x")
        await until(lambda: channels.find("ch").next_seq == 1)
        await wire.cut()
        channels.delete("ch")
        await wire.join()
        for _ in range(3):
            await it.put(None)
        async with asyncio.timeout(DEADLINE_S):
            await it.task
    assert it.ended == "the channel is not there"


@asynccontextmanager
async def held_up(http, taking):
    """Run a publisher whose server does not read, and a thread that waits for it."""
    taking.on("POST 0", stalled)
    async with publishing(http, taking.url, max_bytes=1_000_000) as it:

        def write():
            it.begin_segment()
            for _ in range(200):  # far more than the sockets hold
                it.write(b"x" * 1_000_000)

        it.writer = threading.Thread(target=write, name="writer", daemon=True)
        it.writer.start()
        await until(lambda: "POST 0" in taking.asked and http.connector._acquired)
        [protocol] = http.connector._acquired
        it.socket = protocol.transport.get_extra_info("socket")
        await until(protocol.transport.get_write_buffer_size)
        assert it.writer.is_alive()
        yield it


async def test_a_server_that_does_not_read_does_not_hold_up_the_finish(http, taking):
    async with held_up(http, taking) as it:
        async with asyncio.timeout(DEADLINE_S):
            await it.finish()
        await until(lambda: not it.writer.is_alive())
        assert not it.task.done()


async def test_a_publisher_that_is_cancelled_lets_go_of_its_writer_and_of_a_server_that_does_not_read(
    http, taking, nothing_left
):
    async with held_up(http, taking) as it:
        it.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await it.task
        await until(lambda: not it.writer.is_alive())
        await until(lambda: it.socket.fileno() == -1)
    await nothing_left()


async def test_a_server_that_reads_and_never_answers_costs_one_segment(http, taking, monkeypatch):
    monkeypatch.setattr(publisher, "_SEGMENT_TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.2))
    taking.on("POST 0", reads_body(silent))
    it = await publish(http, taking.url, [b"a"], [b"b"])
    assert (it.segments, it.segments_lost) == (1, 1)


@pytest.mark.parametrize("answer", [status(500), status(302), raw(b"")], ids=["500", "302", "nothing"])
async def test_a_channel_that_cannot_be_deleted_is_noted_and_no_failure(http, taking, caplog, answer):
    taking.always("DELETE", answer)
    with caplog.at_level(logging.INFO):
        it = await publish(http, taking.url, [b"a"])
    assert it.segments == 1
    [record] = [record for record in caplog.records if "could not be deleted" in record.message]
    assert record.levelno == logging.INFO


@pytest.mark.parametrize("code", [404, 400])
async def test_a_channel_that_is_gone_already_is_not_even_noted(http, taking, caplog, code):
    taking.always("DELETE", status(code))
    with caplog.at_level(logging.INFO):
        await publish(http, taking.url, [b"a"])
    assert not caplog.records


@pytest.mark.parametrize("code", [302, 307, 308])
async def test_no_request_follows_a_redirect(http, taking, code):
    away = status(code, Location="/elsewhere/9")
    for request in ("GET next", "POST 0", "POST -1", "DELETE ch"):
        taking.on(request, away)
    it = await publish(http, taking.url, [b"a"], [b"b"])
    assert (it.segments, it.segments_lost) == (1, 1)
    with pytest.raises(TrickleError, match=rf"HTTP {code} \(a redirect, which is not followed\)"):
        await publish_message(http, taking.url, b"{}")
    assert [exchange.target for exchange in taking.exchanges if "elsewhere" in exchange.target] == []


async def test_a_message_that_is_not_taken_is_an_error(http, url):
    with pytest.raises(TrickleError, match="did not take a message"):
        await publish_message(http, url.replace("/ch", "/none"), b"{}")
    await publish_message(http, url, b"{}")
    async with http.get(f"{url}/0") as answer:
        assert await answer.read() == b"{}"


async def test_a_message_does_not_wait_for_ever_for_a_slow_server(http, rogue, monkeypatch):
    assert publisher.REQUEST_TIMEOUT.total == 10
    monkeypatch.setattr(publisher, "REQUEST_TIMEOUT", aiohttp.ClientTimeout(total=0.2))
    rogue.always("POST", silent)
    with pytest.raises(TrickleError, match="did not take a message: TimeoutError"):
        await publish_message(http, rogue.url, b"{}")
