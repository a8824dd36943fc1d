import asyncio
import logging
from contextlib import aclosing

import aiohttp
import pytest
from trickle_rig import DEADLINE_S, breaks_off, missing, raw, segment, silent, status, until

from byoc_kit.trickle import connection, subscriber
from byoc_kit.trickle.buffers import ByteInlet
from byoc_kit.trickle.connection import TrickleError, client_session
from byoc_kit.trickle.subscriber import MAX_MESSAGE, feed_channel, read_channel, read_messages


async def collect(http, url, **options):
    async with asyncio.timeout(DEADLINE_S):
        return [(seq, data) async for seq, data in read_channel(http, url, **options)]


async def messages(http, url, **options):
    async with asyncio.timeout(DEADLINE_S):
        return [message async for message in read_messages(http, url, **options)]


class Reading:
    """A reader that runs during the test; ``text`` is what it has so far, `|` for each end of a segment."""

    def __init__(self, http, url, **options):
        self.got = []
        self.task = asyncio.create_task(self._read(http, url, **options))

    @property
    def text(self):
        return "".join(data.decode() or "|" for _, data in self.got)

    async def _read(self, http, url, **options):
        async with aclosing(read_channel(http, url, **options)) as chunks:
            async for chunk in chunks:
                self.got.append(chunk)

    async def ends(self):
        async with asyncio.timeout(DEADLINE_S):
            await self.task


def held(seq, first, event, rest=b""):
    """Send a segment's first bytes at once, and its rest when the event is set."""

    async def answer(it):
        await it.send(200, {"Lp-Trickle-Seq": seq}, None)
        await it.send_chunk(first)
        await event.wait()
        if rest:
            await it.send_chunk(rest)
        await it.send_chunk()

    return answer


async def test_what_is_published_is_read_and_each_segment_ends_with_an_empty_chunk(http, url, channels):
    reading = Reading(http, url)
    for data in (b"a", b"b", b"c"):
        channels.find("ch").publish(data)
        await until(lambda data=data: reading.text.endswith(f"{data.decode()}|"))
    channels.delete("ch")
    await reading.ends()
    assert reading.got == [(0, b"a"), (0, b""), (1, b"b"), (1, b""), (2, b"c"), (2, b"")]


async def test_the_next_segment_and_no_other_is_asked_for_while_this_one_comes(http, rogue):
    more = asyncio.Event()
    rogue.on("GET 5", held(5, b"a", more))
    rogue.on("GET 6", silent)
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: "GET 6" in rogue.asked and reading.text == "a")
    more.set()
    await until(lambda: reading.text == "a|")
    assert rogue.asked == ["GET 5", "GET 6"]
    assert rogue.most_connections == 2
    reading.task.cancel()


async def test_a_segment_that_waits_ahead_is_not_asked_for_again(http, rogue):
    more = asyncio.Event()
    rogue.on("GET 5", held(5, b"a", more))
    rogue.on("GET 6", segment(6, b"b"))
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: "GET 6" in rogue.asked)
    more.set()
    await reading.ends()
    assert reading.text == "a|b|"
    assert rogue.asked == ["GET 5", "GET 6", "GET 7"]


async def test_a_closed_channel_ends_the_reading_without_its_body(http, rogue):
    assert await collect(http, rogue.url) == []
    assert rogue.asked == ["GET -2"]


async def test_a_channel_that_is_closed_under_the_segment_is_read_to_its_end(http, rogue):
    more = asyncio.Event()
    rogue.on("GET 5", held(5, b"a", more, b"b"))
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: "GET 6" in rogue.asked)
    more.set()
    await reading.ends()
    assert reading.text == "ab|"


async def test_a_channel_that_is_not_there_ends_the_reading(http, rogue):
    rogue.on("GET -2", status(404))
    assert await collect(http, rogue.url) == []


async def test_a_missing_segment_is_skipped_to_the_write_head(http, rogue):
    rogue.on("GET 2", segment(2, b"two"))
    rogue.on("GET 3", missing(107))
    rogue.on("GET 107", segment(107, b"new"))
    assert await collect(http, rogue.url, first_seq=2) == [(2, b"two"), (2, b""), (107, b"new"), (107, b"")]
    assert rogue.asked == ["GET 2", "GET 3", "GET 107", "GET 108"]


@pytest.mark.parametrize("seq", [101, 103], ids=["over the segment waited for", "next to it"])
async def test_a_publisher_that_jumps_by_100_is_followed(http, url, channels, seq):
    channel = channels.find("ch")
    reading = Reading(http, url)
    channel.publish(b"before")
    await until(lambda: reading.text == "before|")
    channel.append(channel.open_for_write(seq), b"jump")

    def is_followed_while_more_comes():
        channel.publish(b"after")
        return "after|" in reading.text

    await until(is_followed_while_more_comes)
    channels.delete("ch")
    await reading.ends()


@pytest.fixture
def first_pause_for_ever(monkeypatch):
    """Let the reader stand still where it must pause, so that what it asked until then can be counted."""
    monkeypatch.setattr(subscriber, "_EMPTY_ANSWER_PAUSE_S", 3600)


async def stands_still(http, rogue, *, at):
    """Check that nothing is asked any more, while the server answers others."""
    await until(lambda: len(rogue.asked) >= at)
    for _ in range(20):
        async with http.get(f"{rogue.url}/other"):
            pass
    asked = [request for request in rogue.asked if request != "GET other"]
    assert len(asked) == at
    return asked


async def test_a_470_that_names_the_same_segment_for_ever_is_no_busy_loop(http, rogue, first_pause_for_ever):
    rogue.on("GET 7", *[missing(7)] * 100)
    rogue.on("GET 8", *[missing(7)] * 100)
    reading = Reading(http, rogue.url, first_seq=7)
    assert await stands_still(http, rogue, at=2) == ["GET 7", "GET 8"]
    reading.task.cancel()


async def test_a_server_that_always_names_another_segment_is_no_busy_loop(http, rogue, first_pause_for_ever):
    for seq in range(100):
        rogue.on(f"GET {seq}", missing(seq + 1))
    reading = Reading(http, rogue.url, first_seq=0)
    await stands_still(http, rogue, at=2)
    reading.task.cancel()


async def test_a_server_whose_segments_are_all_empty_is_no_busy_loop(http, rogue, first_pause_for_ever):
    for seq in range(100):
        rogue.on(f"GET {seq}", segment(seq, b""))
    reading = Reading(http, rogue.url, first_seq=0)
    await stands_still(http, rogue, at=3)
    reading.task.cancel()


async def test_a_470_that_names_the_same_segment_until_it_comes_is_survived(http, rogue, monkeypatch):
    monkeypatch.setattr(subscriber, "_EMPTY_ANSWER_PAUSE_S", 0)
    rogue.on("GET 7", *[missing(7)] * 3, segment(7, b"x"))
    rogue.on("GET 8", *[missing(7)] * 3)
    assert (7, b"x") in await collect(http, rogue.url, first_seq=7)


async def test_a_470_that_names_the_segment_just_read_does_not_repeat_it(http, rogue, monkeypatch):
    monkeypatch.setattr(subscriber, "_EMPTY_ANSWER_PAUSE_S", 0)
    rogue.on("GET 4", segment(4, b"four"))
    rogue.on("GET 5", missing(4), missing(4), segment(5, b"five"))
    assert [data for _, data in await collect(http, rogue.url, first_seq=4)] == [b"four", b"", b"five", b""]


@pytest.mark.parametrize("latest", ["", "nonsense", "-7"])
async def test_a_470_without_a_number_leads_to_the_next_write(http, rogue, latest):
    rogue.on("GET 3", missing(latest))
    rogue.on("GET -1", segment(9, b"nine"))
    assert await collect(http, rogue.url, first_seq=3) == [(9, b"nine"), (9, b"")]


async def test_segments_that_end_empty_are_passed_over(http, url, channels):
    channel = channels.find("ch")
    reading = Reading(http, url)
    for _ in range(3):
        channel.finish(channel.open_for_write(-1))
    channel.publish(b"x")
    await until(lambda: reading.text.endswith("x|"))
    channels.delete("ch")
    await reading.ends()


async def test_a_reset_by_the_publisher_leads_on_to_the_new_segment(http, url, channels):
    channel = channels.find("ch")
    channel.append(channel.open_for_write(0), b"left open")
    reading = Reading(http, url)
    await until(lambda: reading.text == "left open")
    async with http.post(f"{url}/1", data=b"again", headers={"Lp-Trickle-Reset": "1"}) as answer:
        assert answer.status == 200
    await until(lambda: reading.text == "left open|again|")
    channels.delete("ch")
    await reading.ends()


async def test_a_segment_that_is_reset_in_its_middle_is_resumed_where_it_stopped(http, rogue):
    is_read = asyncio.Event()
    rogue.on("GET 5", breaks_off(5, b"he", b"l", to_read=is_read), segment(5, b"hello"))
    rogue.on("GET 6", segment(6, b"!"), segment(6, b"!"))
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: reading.text == "hel")
    is_read.set()
    await reading.ends()
    assert reading.text == "hello|!|"
    assert rogue.times("GET 5") == 2


async def test_a_segment_that_comes_back_under_another_number_is_read_from_its_start(http, rogue):
    is_read = asyncio.Event()
    rogue.on("GET 5", breaks_off(5, b"hel", to_read=is_read), segment(9, b"other"))
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: reading.text == "hel")
    is_read.set()
    await reading.ends()
    assert reading.got == [(5, b"hel"), (9, b"other"), (9, b"")]


async def test_a_segment_lost_in_its_middle_has_no_end_mark(http, rogue):
    is_read = asyncio.Event()
    rogue.on("GET 5", breaks_off(5, b"hel", to_read=is_read), missing(9))
    rogue.on("GET 9", segment(9, b"on"))
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: reading.text == "hel")
    is_read.set()
    await reading.ends()
    assert reading.got == [(5, b"hel"), (9, b"on"), (9, b"")]


async def test_a_segment_that_is_cut_short_in_good_order_just_ends(http, rogue):
    async def truncated(it):
        await it.send(200, {"Lp-Trickle-Seq": 5}, None)
        await it.send_chunk(b"hel")
        await it.send_chunk()

    rogue.on("GET 5", truncated)
    rogue.on("GET 6", segment(6, b"on"))
    assert [data for _, data in await collect(http, rogue.url, first_seq=5)] == [b"hel", b"", b"on", b""]


@pytest.mark.parametrize(
    "fault",
    [
        status(500),
        status(503),
        raw(b"\x00\xffnonsense\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nLp-Trickle-Seq: 0\r\n\r\nzzz\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nLp-Tri"),
        raw(b""),
    ],
    ids=["500", "503", "nonsense", "no length", "no chunk", "half a header", "nothing"],
)
async def test_an_answer_that_cannot_be_read_is_asked_for_again(http, rogue, fault):
    rogue.on("GET 0", fault, fault, segment(0, b"x"))
    assert (0, b"x") in await collect(http, rogue.url, first_seq=0)


async def test_a_number_that_is_none_is_taken_for_the_one_asked_for(http, rogue):
    rogue.on("GET 3", segment("three", b"x"))
    assert await collect(http, rogue.url, first_seq=3) == [(3, b"x"), (3, b"")]


async def test_a_number_of_thousands_of_digits_is_none(http, rogue):
    rogue.on("GET 3", segment("9" * 5000, b"x"))
    rogue.on("GET 4", missing("9" * 5000))
    assert await collect(http, rogue.url, first_seq=3) == [(3, b"x"), (3, b"")]
    assert rogue.asked == ["GET 3", "GET 4", "GET -1"]


PAGE = "without Lp-Trickle-Seq, so it is no trickle channel"
REDIRECT = r"\(a redirect, which is not followed\)"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda it: it.send(200, {}, b"<html>hello</html>"), f"HTTP 200 {PAGE}"),
        (lambda it: it.send(200), f"HTTP 200 {PAGE}"),
        (status(204), f"HTTP 204 {PAGE}"),
        (status(302, Location="http://127.0.0.1:9/secret"), f"HTTP 302 {REDIRECT}"),
        (status(307, Location="/ch/5"), f"HTTP 307 {REDIRECT}"),
        (status(401), "HTTP 401"),
        (status(418), "HTTP 418"),
        (status(500), "HTTP 500"),
        (status(503), "HTTP 503"),
        (segment(3, b"x"), "it answers with segment 3 where 5 was asked for"),
    ],
    ids=["page", "empty", "204", "302", "307", "401", "418", "500", "503", "a number that does not advance"],
)
async def test_an_answer_that_is_none_of_a_channel_is_given_up_after_a_few_tries(
    http, rogue, monkeypatch, answer, reason
):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.5)
    rogue.always("GET", answer)
    with pytest.raises(TrickleError, match=f"^{rogue.url} has failed for .* s: {reason}$"):
        await collect(http, rogue.url, first_seq=5)
    assert len(rogue.asked) <= 6
    assert set(rogue.asked) == {"GET 5"}


async def test_a_server_whose_segments_come_at_once_for_ever_is_asked_at_a_pace(http, rogue, monkeypatch):
    monkeypatch.setattr(subscriber, "_LEAST_PAUSE_S", 3600)
    for seq in range(100):
        rogue.on(f"GET {seq}", segment(seq, b"x"))
    reading = Reading(http, rogue.url, first_seq=0)
    await stands_still(http, rogue, at=2)
    reading.task.cancel()


async def test_a_body_that_says_it_is_compressed_is_taken_as_it_came(rogue):
    async def packed(it):
        await it.send(200, {"Lp-Trickle-Seq": 0, "Content-Encoding": "gzip"}, b"\x1f\x8bno gzip")

    rogue.on("GET 0", packed)
    async with client_session() as session:
        assert await collect(session, rogue.url, first_seq=0) == [(0, b"\x1f\x8bno gzip"), (0, b"")]
    assert rogue.exchanges[0].header("Accept-Encoding") == "identity"


async def test_secrets_of_a_url_are_in_no_message(http, rogue, caplog, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    rogue.always("GET", status(500))
    url = rogue.url.replace("://", "://me:secret@")
    with pytest.raises(TrickleError) as raised:
        await collect(http, url)
    assert rogue.exchanges[0].header("Authorization").startswith("Basic ")
    assert rogue.url in str(raised.value)
    assert "secret" not in f"{raised.value} {caplog.text}"


@pytest.mark.parametrize(("before", "noticed"), [(3, 3), (5, 0), (6, 1), (8, 3), (12, 2)], ids=str)
async def test_a_publisher_that_begins_again_at_0_is_read_once(http, url, channels, monkeypatch, before, noticed):
    # The ring has five places: a reader that waits notices when the new publisher comes to the place where it waits.
    monkeypatch.setattr(subscriber, "_EMPTY_ANSWER_PAUSE_S", 0.01)
    channel = channels.find("ch")
    reading = Reading(http, url)
    for seq in range(before):
        channel.publish(b"old %d" % seq)
        await until(lambda seq=seq: reading.text.endswith(f"old {seq}|"))
    await until(lambda: channel._find(before))

    for seq in range(before + 4):
        segment = channel.open_for_write(seq)
        channel.append(segment, b"new %d" % seq)
        channel.finish(segment)
        if seq >= noticed:
            await until(lambda seq=seq: reading.text.endswith(f"new {seq}|"))
    channels.delete("ch")
    await reading.ends()
    expected = [*(f"old {seq}|" for seq in range(before)), *(f"new {seq}|" for seq in range(noticed, before + 4))]
    assert reading.text == "".join(expected)


async def test_a_server_without_the_write_heads_route_is_read_on_after_a_new_beginning(http, rogue, monkeypatch):
    monkeypatch.setattr(subscriber, "_EMPTY_ANSWER_PAUSE_S", 0)
    rogue.on("GET 7", segment(7, b"old"))
    rogue.on("GET 8", missing(6))
    rogue.on("GET 5", segment(5, b"new 5"))
    rogue.on("GET next", status(404))
    rogue.on("GET 6", segment(6, b"new 6"))
    assert [data for _, data in await collect(http, rogue.url, first_seq=7) if data] == [b"old", b"new 5", b"new 6"]


async def test_a_server_out_of_reach_is_given_up(http, free_port, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.2)
    with pytest.raises(TrickleError, match=r"has failed for"):
        await collect(http, f"http://127.0.0.1:{free_port}/ch")


async def test_a_server_that_breaks_off_each_time_before_anything_new_is_given_up(http, rogue, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.2)
    rogue.always("GET", breaks_off(0))
    with pytest.raises(TrickleError, match=r"has failed for"):
        await collect(http, rogue.url)


@pytest.mark.parametrize("fault", [status(504), raw(b"")], ids=["504", "hung up"])
async def test_requests_that_waited_for_long_before_they_failed_do_not_end_the_reading(http, rogue, monkeypatch, fault):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    monkeypatch.setattr(connection, "_SURELY_CONNECTED_S", 0)  # so that any wait is long
    rogue.on("GET 0", *[fault] * 6, segment(0, b"x"))  # the HTTP client by itself tries a hung up one twice
    assert (0, b"x") in await collect(http, rogue.url, first_seq=0)


async def test_a_server_that_is_back_with_its_channels_goes_on_where_it_stopped(http, wire, channels):
    channel = channels.find("ch")
    reading = Reading(http, wire.url)
    segment = channel.open_for_write(0)
    channel.append(segment, b"before, ")
    await until(lambda: reading.text == "before, ")
    await wire.cut()
    channel.append(segment, b"meanwhile, ")
    await asyncio.sleep(1)
    await wire.join()
    channel.append(segment, b"after")
    channel.finish(segment)
    await until(lambda: reading.text == "before, meanwhile, after|")
    channels.delete("ch")
    await reading.ends()


async def test_a_server_that_is_back_with_its_channels_made_again_is_read_from_where_it_is(http, wire, channels):
    reading = Reading(http, wire.url)
    for seq in range(20):
        channels.find("ch").publish(b"%d" % seq)
    await until(lambda: reading.text.endswith("19|"))
    await wire.cut()
    channels.delete("ch")
    channels.create("ch", "video/MP2T").publish(b"new 0")
    await asyncio.sleep(1)
    await wire.join()
    await until(lambda: len(channels.find("ch")._ring) == 2)  # the reader waits at the new write head
    channels.find("ch").publish(b"new 1")
    await until(lambda: reading.text.endswith("|new 1|"))
    channels.delete("ch")
    await reading.ends()


async def test_a_server_that_is_back_without_its_channels_ends_the_reading(http, wire, channels):
    reading = Reading(http, wire.url)
    channels.find("ch").publish(b"x")
    await until(lambda: reading.text == "x|")
    await wire.cut()
    channels.delete("ch")
    await wire.join()
    await reading.ends()


@pytest.mark.parametrize("chunks", [1, 2])
async def test_a_reader_that_leaves_early_leaves_nothing_behind(http, rogue, nothing_left, chunks):
    rogue.on("GET 5", segment(5, b"a"))
    rogue.on("GET 6", silent)
    reading = read_channel(http, rogue.url, first_seq=5)
    for _ in range(chunks):
        await anext(reading)
    await until(lambda: "GET 6" in rogue.asked)
    await reading.aclose()
    await nothing_left(rogue)


async def test_a_reader_that_leaves_in_a_segment_closes_both_its_connections(http, rogue, nothing_left):
    never = asyncio.Event()
    rogue.on("GET 5", held(5, b"a", never))
    rogue.on("GET 6", held(6, b"b", never))
    reading = read_channel(http, rogue.url, first_seq=5)
    await anext(reading)
    await until(lambda: http.connector._acquired and rogue.connections == 2)
    await reading.aclose()
    await nothing_left()
    never.set()
    await nothing_left(rogue)
    assert not http.connector._conns


async def test_a_reader_that_is_not_begun_can_be_closed(http, rogue, nothing_left):
    await read_channel(http, rogue.url).aclose()
    await nothing_left(rogue)
    assert rogue.asked == []


@pytest.mark.parametrize("first", [silent, segment(5, b"a"), status(500)], ids=["waiting", "ahead", "failing"])
async def test_a_reader_that_is_cancelled_leaves_nothing_behind(http, rogue, nothing_left, first):
    rogue.on("GET 5", first)
    rogue.always("GET", silent)
    reading = Reading(http, rogue.url, first_seq=5)
    await until(lambda: rogue.asked)
    reading.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading.task
    await nothing_left(rogue)


async def test_a_reader_that_fails_leaves_nothing_behind(http, rogue, nothing_left, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    rogue.on("GET 5", segment(5, b"a"))
    rogue.always("GET", status(500))
    with pytest.raises(TrickleError):
        await collect(http, rogue.url, first_seq=5)
    await nothing_left(rogue)


async def test_a_quiet_channel_has_no_time_limit_even_in_a_session_that_has_one(rogue):
    at_last = asyncio.Event()

    async def quiet(it):
        await at_last.wait()
        await it.send(200, {"Lp-Trickle-Seq": 0}, b"at last")

    rogue.on("GET 0", quiet)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.2)) as session:
        reading = Reading(session, rogue.url, first_seq=0)
        await asyncio.sleep(0.5)  # the session's limit, twice over
        at_last.set()
        await reading.ends()
    assert reading.text == "at last|"
    assert rogue.asked == ["GET 0", "GET 1"]


async def test_a_message_may_span_many_chunks(http, rogue):
    long = b'{"text": "' + b"x" * 300_000 + b'"}'
    rogue.on("GET 0", segment(0, long))
    rogue.on("GET 1", segment(1, b""))
    rogue.on("GET 2", segment(2, b"{}"))
    assert await messages(http, rogue.url, first_seq=0) == [long, b"{}"]


async def test_a_message_that_is_too_large_is_skipped_with_one_warning(http, rogue, caplog):
    async def large(it):
        await it.send(200, {"Lp-Trickle-Seq": 0}, None)
        for _ in range(12):
            await it.send_chunk(b"x" * 1_000_000)
        await it.send_chunk()

    rogue.on("GET 0", large)
    rogue.on("GET 1", segment(1, b"y" * MAX_MESSAGE))
    rogue.on("GET 2", segment(2, b"{}"))
    with caplog.at_level(logging.WARNING):
        got = await messages(http, rogue.url, first_seq=0)
    assert [len(message) for message in got] == [MAX_MESSAGE, 2]
    assert [record.message for record in caplog.records] == [
        f"{rogue.url}/0 is larger than 10485760 bytes; the message is skipped"
    ]


async def test_half_a_message_is_not_taken_for_one(http, rogue):
    is_read = asyncio.Event()
    rogue.on("GET 0", breaks_off(0, b'{"half', to_read=is_read), missing(5))
    rogue.on("GET 1", silent)
    rogue.on("GET 5", segment(5, b"{}"))
    reading = asyncio.create_task(messages(http, rogue.url, first_seq=0))
    await until(lambda: "GET 1" in rogue.asked)
    is_read.set()
    assert await reading == [b"{}"]


async def test_a_channel_is_fed_until_it_ends(http, rogue, caplog):
    inlet = ByteInlet()
    rogue.on("GET 0", segment(0, b"abc"))
    assert await feed_channel(http, rogue.url, inlet, first_seq=0, idle_timeout_s=DEADLINE_S)
    assert inlet.read() == b"abc"
    assert caplog.text == ""


async def test_a_channel_that_brings_nothing_for_so_long_is_left(http, rogue, nothing_left):
    rogue.on("GET 0", segment(0, b"abc"))
    rogue.always("GET", silent)
    assert not await feed_channel(http, rogue.url, ByteInlet(), first_seq=0, idle_timeout_s=0.1)
    await nothing_left(rogue)


async def test_input_that_finds_no_room_is_no_silence(http, rogue):
    inlet = ByteInlet(max_buffered=1)
    rogue.on("GET 0", segment(0, b"xx"))
    rogue.on("GET 1", segment(1, b"yy"))
    feeding = asyncio.create_task(feed_channel(http, rogue.url, inlet, first_seq=0, idle_timeout_s=0.1))
    await asyncio.sleep(0.5)
    assert inlet.read() == b"xx"
    async with asyncio.timeout(DEADLINE_S):
        assert await feeding


async def test_a_channel_that_was_swept_is_said(http, rogue, caplog, monkeypatch):
    monkeypatch.setattr(subscriber, "_SWEPT_AFTER_S", -1.0)
    assert await feed_channel(http, rogue.url, ByteInlet())
    [record] = caplog.records
    assert record.message == f"{rogue.url} was closed after 0 s without input; a trickle server does so after 5 minutes"
