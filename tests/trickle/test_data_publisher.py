import asyncio
import json
import threading
from contextlib import asynccontextmanager

import pytest
from trickle_rig import DEADLINE_S, closed, raw, reads_body, silent, stalled, status, until

from byoc_kit.core.publish import DataError, encode_line
from byoc_kit.trickle import connection
from byoc_kit.trickle import publisher as data
from byoc_kit.trickle.connection import TrickleError
from byoc_kit.trickle.publisher import DataPublisher


@pytest.fixture
def taking(rogue):
    rogue.always("POST", status(200))
    rogue.always("DELETE", status(200))
    return rogue


@asynccontextmanager
async def publishing(http, url, **options):
    it = DataPublisher(http, url, **options)
    it.task = asyncio.create_task(it.run())
    try:
        yield it
    finally:
        it.task.cancel()
        await asyncio.wait([it.task])


async def finish(it):
    async with asyncio.timeout(DEADLINE_S):
        await it.finish()
        await it.task


def line(number, size=0):
    return encode_line({"number": number, "text": "x" * size})


def numbers(*bodies):
    return [json.loads(text)["number"] for body in bodies for text in body.splitlines()]


def held(event):
    """Take a segment, and answer when the event is set."""

    @reads_body
    async def answer(it):
        it.taken = await it.body()
        await event.wait()
        await it.send(200)

    return answer


def posts(rogue):
    return [exchange for exchange in rogue.exchanges if exchange.method == "POST"]


def recursive():
    message = {}
    message["message"] = message
    return message


@pytest.mark.parametrize(
    "message",
    [[1], "text", None, {"value": float("inf")}, {"value": b"bytes"}, {"text": "x" * 65_524}, recursive()],
    ids=["list", "text", "nothing", "infinity", "bytes", "too large", "recursive"],
)
def test_what_is_no_line_of_json_is_refused(message):
    with pytest.raises(DataError):
        encode_line(message)


async def test_lines_arrive_in_order_and_the_channel_is_deleted_at_the_end(http, taking):
    async with publishing(http, taking.url) as it:
        thread = threading.Thread(target=lambda: [it.put_from_thread(line(number)) for number in range(100)])
        thread.start()
        await asyncio.to_thread(thread.join)
        await finish(it)
    assert numbers(*taking.bodies) == list(range(100))
    assert {post.header("Content-Type") for post in posts(taking)} == {"application/jsonl"}
    assert set(taking.asked[:-1]) == {"POST -1"}
    assert taking.asked[-1] == "DELETE ch"
    assert (it.lines_sent, it.lines_lost, it.ended) == (100, 0, None)


async def test_lines_reach_a_reader_of_the_channel(http, url, channels):
    async with publishing(http, url) as it:
        it.put_from_thread(line(1))
        async with asyncio.timeout(DEADLINE_S):
            assert numbers(await channels.find("ch").read(0)) == [1]
        await finish(it)
    assert channels.find("ch") is None


async def test_all_that_waits_goes_out_as_one_segment_after_the_post_before_it(http, taking):
    goes_on = asyncio.Event()
    taking.on("POST -1", held(goes_on))
    async with publishing(http, taking.url) as it:
        it.put_from_thread(line(0))
        await until(lambda: taking.asked)
        for number in range(1, 6):
            it.put_from_thread(line(number))
        goes_on.set()
        await finish(it)
    assert numbers(posts(taking)[0].taken) == [0]
    assert numbers(taking.bodies[0]) == [1, 2, 3, 4, 5]


async def test_a_segment_holds_whole_lines_of_at_most_64_kib(http, taking):
    async with publishing(http, taking.url) as it:
        for number in range(5):
            it.put_from_thread(line(number, 30_000))
        it.put_from_thread(line(5, 65_500))
        await finish(it)
    assert [numbers(body) for body in taking.bodies] == [[0, 1], [2, 3], [4], [5]]
    assert all(len(body) <= 65_536 for body in taking.bodies)


async def test_when_too_many_wait_the_oldest_go_and_are_counted(http, taking):
    it = DataPublisher(http, taking.url, max_lines=3)
    for number in range(10):
        it.put_from_thread(line(number))
    await it.finish()
    await it.run()
    assert numbers(*taking.bodies) == [7, 8, 9]
    assert (it.lines_sent, it.lines_lost) == (3, 7)


@pytest.mark.parametrize(
    "fault",
    [status(500), status(307), status(413), raw(b""), raw(b"\x00nonsense\r\n\r\n")],
    ids=["500", "307", "413", "hung up", "nonsense"],
)
async def test_lines_of_a_failed_post_are_sent_again_in_order(http, taking, fault):
    taking.on("POST -1", status(200), fault)
    async with publishing(http, taking.url) as it:
        it.put_from_thread(line(0))
        await until(lambda: it.lines_sent)
        for number in range(1, 4):
            it.put_from_thread(line(number))
        await finish(it)
    assert numbers(taking.bodies[0]) == [0]
    assert numbers(taking.bodies[-1]) == [1, 2, 3]
    resets = [post.header("Lp-Trickle-Reset") for post in posts(taking)]
    assert resets == [None, None, "1"]
    assert (it.lines_sent, it.lines_lost) == (4, 0)


@pytest.mark.parametrize(
    ("answer", "reason"), [(status(404), "the channel is not there"), (closed, "the channel was closed")]
)
async def test_a_channel_that_is_over_ends_the_run_and_says_why(http, taking, answer, reason):
    taking.on("POST -1", answer)
    async with publishing(http, taking.url) as it:
        it.put_from_thread(line(0))
        async with asyncio.timeout(DEADLINE_S):
            await it.task
        it.put_from_thread(line(1))
    assert it.ended == reason
    assert (it.lines_sent, it.lines_lost) == (0, 2)
    assert "DELETE ch" not in taking.asked


@pytest.fixture
def soon_quiet(monkeypatch):
    monkeypatch.setattr(data, "KEEP_ALIVE_S", 0.01)


async def test_a_line_of_its_own_keeps_a_quiet_channel_alive_and_counts_for_nothing(http, taking, soon_quiet):
    async with publishing(http, taking.url) as it:
        await until(lambda: len(taking.bodies) >= 3)
        it.put_from_thread(line(0))
        await finish(it)
    assert set(taking.bodies[:3]) == {data.KEEP_ALIVE}
    assert [body for body in taking.bodies if body != data.KEEP_ALIVE] == [line(0)]
    assert (it.lines_sent, it.lines_lost, it.ended) == (1, 0, None)


async def test_a_keep_alive_that_fails_is_tried_again_at_once(http, taking, monkeypatch):
    monkeypatch.setattr(data, "KEEP_ALIVE_S", 0.01)

    async def fails(it):
        monkeypatch.setattr(data, "KEEP_ALIVE_S", 3600)
        await status(500)(it)

    taking.on("POST -1", fails)
    async with publishing(http, taking.url) as it:
        await until(lambda: len(taking.bodies) == 2)
        await finish(it)
    assert taking.bodies == [data.KEEP_ALIVE, data.KEEP_ALIVE]
    assert posts(taking)[-1].header("Lp-Trickle-Reset") == "1"


async def test_a_channel_that_ends_while_it_is_quiet_is_noticed_and_said_once(http, taking, soon_quiet, caplog):
    taking.on("POST -1", status(200), status(404))
    async with publishing(http, taking.url) as it, asyncio.timeout(DEADLINE_S):
        await it.task
    said = [record.message for record in caplog.records]
    assert said == [f"{taking.url}: the channel is not there; what is published from now on is lost"]


async def test_a_server_out_of_reach_is_given_up(http, free_port, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.2)
    async with publishing(http, f"http://127.0.0.1:{free_port}/ch") as it:
        it.put_from_thread(line(0))
        with pytest.raises(TrickleError, match="has failed for"):
            await it.task
    assert it.lines_lost == 1
    assert "has failed for" in it.ended


@pytest.mark.parametrize("answer", [stalled, silent], ids=["does not read", "does not answer"])
async def test_a_slow_server_blocks_neither_a_put_nor_the_end(http, taking, nothing_left, answer):
    taking.on("POST -1", answer)
    async with publishing(http, taking.url, max_lines=10) as it:
        it.put_from_thread(line(0))
        await until(lambda: taking.asked)
        for number in range(1, 30):
            it.put_from_thread(line(number, 60_000))
        await it.finish()
    assert it.lines_lost == 30
    await nothing_left()


async def test_finishing_without_a_line_only_deletes(http, taking):
    async with publishing(http, taking.url) as it:
        await finish(it)
    assert taking.asked == ["DELETE ch"]
