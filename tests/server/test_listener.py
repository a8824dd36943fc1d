import asyncio
import errno
import gzip
import logging
import os
import resource
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from server_rig import until

from byoc_kit.core.params import ParamsError
from byoc_kit.server import listener as module
from byoc_kit.server import requests
from byoc_kit.server.listener import Listener, app_runner, noted_at_request, protocol_factory, raise_file_limit
from byoc_kit.server.requests import read_body
from byoc_kit.system.addresses import listen, url_of

OK = b"HTTP/1.1 200 OK\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


class Served:
    """An app behind a listener: ``GET /`` waits for ``may_answer``, ``POST /`` reads its body."""

    def __init__(self):
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.serving = 0
        self.app = web.Application(middlewares=[noted_at_request])
        self.app.add_routes([web.get("/", self._get), web.post("/", self._post), web.get("/wrong", self._fail)])

    async def connect(self, sends=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sends)
        self.writers.append(writer)
        return reader, writer

    async def ask(self):
        reader, writer = await self.connect(HEAD + b"\r\n")
        return await asyncio.wait_for(reader.readline(), 10), writer

    async def _get(self, _):
        self.serving += 1
        await self.may_answer.wait()
        return web.Response()

    async def _post(self, request):
        try:
            return web.Response(body=await read_body(request))
        except ParamsError as error:
            return web.Response(status=400, text=str(error))

    async def _fail(self, _):
        raise KeyError("ours")


@pytest.fixture
def served():
    @asynccontextmanager
    async def serve(**options):
        it = Served()
        it.writers = []
        runner = app_runner(it.app, shutdown_timeout_s=0.1)
        await runner.setup()
        listening = listen("127.0.0.1", 0)
        it.url, it.port = url_of(listening), listening.getsockname()[1]
        it.listening = listening
        it.listener = Listener(listening, protocol_factory(runner), **options)
        try:
            yield it
        finally:
            it.listener.close()
            await runner.cleanup()
            for writer in it.writers:
                writer.close()

    return serve


async def is_closed(reader):
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionError:
        return True


async def test_one_connection_too_many_takes_the_place_of_the_one_that_was_idle_for_longest(served):
    async with served(most=3) as it:
        readers = [(await it.connect())[0] for _ in range(3)]
        assert (await it.ask())[0] == OK
        assert await is_closed(readers[0])
        assert (await it.ask())[0] == OK
        assert await is_closed(readers[1])
        assert not readers[2].at_eof()
        assert len(it.listener._visitors) <= 3


async def test_a_thousand_silent_connections_make_nobody_deaf(served):
    async with served(most=20) as it:
        for _ in range(10):
            await asyncio.gather(*(it.connect(HEAD) for _ in range(100)))
            assert (await it.ask())[0] == OK
        assert len(it.listener._visitors) <= 20


async def test_where_all_are_at_a_request_one_more_is_closed_at_once(served):
    async with served(most=2) as it:
        it.may_answer.clear()
        readers = [(await it.connect(HEAD + b"\r\n"))[0] for _ in range(2)]
        await until(lambda: it.serving == 2, "both are at their requests")
        surplus, _ = await it.connect(HEAD + b"\r\n")
        assert await is_closed(surplus)
        it.may_answer.set()
        assert [await reader.readline() for reader in readers] == [OK, OK]


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", HEAD], ids=["nothing", "half a line", "half a head"])
async def test_a_head_that_does_not_come_closes_the_connection(served, monkeypatch, sent):
    monkeypatch.setattr(module, "REQUEST_TIMEOUT_S", 0.1)
    async with served() as it:
        reader, _ = await it.connect(sent)
        assert await is_closed(reader)


async def test_the_clock_runs_for_the_head_of_each_request_and_not_between_them(served, monkeypatch):
    async with served() as it:
        reader, writer = await it.connect(HEAD + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n")
        [visitor] = it.listener._visitors
        await until(lambda: not visitor.is_at_request, "the request is over")
        assert visitor._clock is None
        monkeypatch.setattr(module, "REQUEST_TIMEOUT_S", 0.1)
        writer.write(HEAD)
        assert await is_closed(reader)


async def test_a_connection_that_waits_for_its_next_request_is_closed_in_the_end(served, monkeypatch):
    monkeypatch.setattr(module, "KEEP_ALIVE_S", 0.1)
    async with served() as it:
        reader, _ = await it.connect(HEAD + b"\r\n")
        assert await reader.readuntil(b"\r\n\r\n")
        assert await is_closed(reader)


async def test_no_socket_is_accepted_no_line_a_try(served, caplog, monkeypatch):
    monkeypatch.setattr(module, "_ACCEPT_AGAIN_S", 0.01)
    async with served() as it:
        tries = []

        class Full:
            """A socket while no file can be opened any more."""

            def accept(self):
                tries.append(1)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

            def fileno(self):
                return it.listening.fileno()

        monkeypatch.setattr(it.listener, "_listening", Full())
        reader, _ = await it.connect(HEAD + b"\r\n")
        await until(lambda: len(tries) > 5, "it is tried again and again")
        said = [record for record in caplog.records if "no connection can be accepted" in record.message]
        assert [record.message.count("\n") for record in said] == [0]
        monkeypatch.setattr(it.listener, "_listening", it.listening)
        assert await reader.readline() == OK


async def test_a_body_that_does_not_come_is_refused(served, monkeypatch):
    monkeypatch.setattr(requests, "REQUEST_TIMEOUT_S", 0.1)
    async with served() as it:
        reader, _ = await it.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(24) == b"body: did not come withi"


async def test_a_packed_body_is_never_unpacked(served):
    packed = gzip.compress(b"x" * 1000)
    async with served() as it:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        reader, _ = await it.connect(head + packed)
        assert await reader.readline() == OK
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(packed)) == packed


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET  HTTP/9\r\n\r\n",
    ],
    ids=["goes away", "no chunk", "TLS", "no length", "no request"],
)
async def test_what_a_client_does_wrong_is_no_error_of_the_log(served, caplog, sent):
    caplog.set_level(logging.INFO)
    async with served() as it:
        _, writer = await it.connect(sent)
        await writer.drain()
        await until(lambda: it.listener._visitors, "it is connected")
        writer.close()
        await until(lambda: not it.listener._visitors, "it is gone")
        assert (await it.ask())[0] == OK
    assert [record for record in caplog.records if record.name != "aiohttp.access"] == []


async def test_what_the_app_does_wrong_keeps_its_traceback(served, caplog):
    async with served() as it, aiohttp.ClientSession() as http, http.get(f"{it.url}/wrong") as answer:
        assert answer.status == 500
    assert "KeyError: 'ours'" in caplog.text


def test_the_process_may_open_as_many_files_as_it_may_ever():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        most = raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, hard)
        assert most == min(hard, 65_536) or hard == resource.RLIM_INFINITY
        assert raise_file_limit() == most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "head", ["GET /?{long} HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n"]
)
async def test_a_request_that_carries_a_payment_is_taken(served, head):
    async with served() as it:
        for length, answered in ((200_000, OK), (300_000, b"HTTP/1.0 400 Bad Request\r\n")):
            reader, _ = await it.connect(head.format(long="x" * length).encode())
            assert await asyncio.wait_for(reader.readline(), 10) == answered
