import asyncio
import logging
import socket
import subprocess
import sys
from contextlib import aclosing
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from trickle_rig import DEADLINE_S, segment, silent, status, until
from web_rig import served

from byoc_kit.trickle import connection
from byoc_kit.trickle.connection import (
    AnswerError,
    Backoff,
    TrickleError,
    check_success,
    client_session,
    delete_channel,
    end_of_channel,
    sequence_number,
)
from byoc_kit.trickle.protocol import CLOSED_HEADER, LATEST_HEADER
from byoc_kit.trickle.subscriber import read_channel


def answer(status=200, **headers):
    """Return what of an answer the functions here look at."""
    return SimpleNamespace(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("given", "ended"),
    [
        (answer(), None),
        (answer(**{CLOSED_HEADER: "terminated"}), "the channel was closed"),
        (answer(404), "the channel is not there"),
        (answer(500), None),
    ],
)
def test_only_a_closed_and_a_missing_channel_have_ended(given, ended):
    assert end_of_channel(given) == ended


@pytest.mark.parametrize(
    ("value", "number"),
    [("7", 7), ("", -1), ("-3", -1), ("\u0663", -1), ("9" * 18, 10**18 - 1), ("9" * 5000, -1)],
)
def test_a_sequence_number_is_plain_digits_of_at_most_64_bits(value, number):
    assert sequence_number(answer(**{LATEST_HEADER: value}), LATEST_HEADER, -1) == number


@pytest.mark.parametrize(("code", "said"), [(302, "HTTP 302 (a redirect, which is not followed)"), (500, "HTTP 500")])
def test_a_redirect_and_a_failure_are_no_success(code, said):
    with pytest.raises(AnswerError) as raised:
        check_success(answer(code))
    assert str(raised.value) == said
    check_success(answer(204))


@pytest.mark.parametrize("code", [200, 400, 404])
async def test_a_channel_that_is_gone_already_is_deleted_without_a_word(http, rogue, caplog, code):
    rogue.always("DELETE", status(code))
    with caplog.at_level(logging.INFO, connection.logger.name):
        await delete_channel(http, rogue.url, written_s=0)
    assert caplog.text == ""
    assert rogue.asked == ["DELETE ch"]


async def test_a_channel_that_cannot_be_deleted_is_said_in_the_log(http, rogue, caplog):
    rogue.always("DELETE", status(500))
    with caplog.at_level(logging.INFO, connection.logger.name):
        await delete_channel(http, rogue.url, written_s=0)
    assert f"{rogue.url} could not be deleted: HTTP 500" in caplog.text


async def test_a_reader_gets_its_time_for_the_tail_before_the_channel_is_deleted(http, rogue, monkeypatch):
    monkeypatch.setattr(connection, "TAIL_S", 3600)
    loop = asyncio.get_running_loop()
    deleting = asyncio.create_task(delete_channel(http, rogue.url, written_s=loop.time()))
    await asyncio.sleep(0)
    assert rogue.asked == []
    deleting.cancel()
    rogue.always("DELETE", status(200))
    async with asyncio.timeout(DEADLINE_S):
        await delete_channel(http, rogue.url, written_s=loop.time() - 3600)


async def test_an_outage_is_counted_from_the_last_success_on(monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    monkeypatch.setattr(connection, "_FIRST_BACKOFF_S", 0)
    backoff = Backoff("http://example/ch")
    for _ in range(5):
        await backoff.failed("HTTP 500")
        backoff.succeeded()
    await backoff.failed("HTTP 500")
    with pytest.raises(TrickleError):
        await backoff.failed("HTTP 500")


async def test_a_request_that_a_proxy_ends_after_long_is_no_outage(monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0)
    monkeypatch.setattr(connection, "_FIRST_BACKOFF_S", 0)
    backoff = Backoff("http://example/ch")
    for _ in range(5):
        await backoff.failed("HTTP 504", lasted_s=60)
    with pytest.raises(TrickleError):
        await backoff.failed("HTTP 504", lasted_s=1)


async def test_connections_notice_a_peer_that_is_gone(rogue):
    rogue.on("GET 5", segment(5, b"a"))
    rogue.on("GET 6", silent)
    async with client_session() as session, aclosing(read_channel(session, rogue.url, first_seq=5)) as reading:
        await anext(reading)
        await until(lambda: "GET 6" in rogue.asked)
        [protocol] = session.connector._acquired
        used = protocol.transport.get_extra_info("socket")
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        assert [used.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [15, 5, 3]


def test_a_name_that_is_not_looked_up_in_time_keeps_no_process_from_ending():
    """The one server of names that is asked may answer after a minute; a container has five seconds to end."""
    code = """
import asyncio, socket, time
socket.getaddrinfo = lambda *_, **__: time.sleep(600)

from byoc_kit.trickle.connection import client_session

async def main():
    async with client_session() as session:
        try:
            async with asyncio.timeout(0.2):
                await session.get("http://orchestrator.example")
        except TimeoutError:
            print("timed out")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=DEADLINE_S)
    assert done.stdout == "timed out\n"


async def test_a_name_is_looked_up():
    async def hello(_):
        return web.Response(text="hello")

    async with (
        served(web.get("/", hello)) as url,
        client_session() as session,
        session.get(url.replace("127.0.0.1", "localhost")) as answer,
    ):
        assert await answer.text() == "hello"


@pytest.mark.parametrize("name", ["a..b", "a" * 64])
async def test_a_name_that_no_host_can_have_is_not_found(name):
    async with client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError):
            await session.get(f"http://{name}/")
