"""Servers for tests of the trickle client: one that misbehaves by script, and a wire that can be cut."""

import asyncio
import socket
import struct
from collections import Counter
from contextlib import asynccontextmanager, suppress

DEADLINE_S = 20


async def until(condition):
    """Wait for what happens on the other side of a socket, and so has no event of its own."""
    async with asyncio.timeout(DEADLINE_S):
        while not (found := condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found


def reset(writer):
    """Close a connection with a TCP reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Exchange:
    """One request as the server sees it, and the raw answer to it."""

    def __init__(self, head, reader, writer):
        request, *lines = head.decode("latin-1").rstrip().split("\r\n")
        self.method, self.target, _ = request.split(" ")
        self.seq = self.target.rpartition("/")[2]
        self.headers = [tuple(line.split(": ", 1)) for line in lines]
        self.writer = writer
        self._reader = reader

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1
        return values[0] if values else None

    async def chunk(self):
        """Return the next chunk of the request's body; b"" at its end."""
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def body(self):
        if length := self.header("Content-Length"):
            return await self._reader.readexactly(int(length))
        parts = []
        if self.header("Transfer-Encoding"):
            while part := await self.chunk():
                parts.append(part)
        return b"".join(parts)

    async def send(self, status, headers=None, body=b""):
        """Answer; ``None`` for a body is one that follows in chunks."""
        framing = {"Transfer-Encoding": "chunked"} if body is None else {"Content-Length": len(body)}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**framing, **(headers or {})}.items())
        self.writer.write(f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + (body or b""))
        await self.writer.drain()

    async def send_chunk(self, data=b""):
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self.writer.drain()


class Rogue:
    """Answers by script: ``on("GET 5", first, second)``; what is not scripted finds the channel closed."""

    def __init__(self):
        self.asked = []
        self.exchanges = []
        self.bodies = []
        self.connections = 0
        self.most_connections = 0
        self.port = None
        self._script = {}
        self._always = {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/ch"

    def on(self, request, *answers):
        self._script.setdefault(request, []).extend(answers)

    def always(self, method, answer):
        self._always[method] = answer

    def times(self, request):
        return Counter(self.asked)[request]

    @asynccontextmanager
    async def serving(self):
        tasks = set()

        def accept(reader, writer):
            task = asyncio.create_task(self._serve(reader, writer))
            tasks.add(task)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)
        try:
            while not writer.is_closing():
                it = Exchange(await reader.readuntil(b"\r\n\r\n"), reader, writer)
                await self._answer(it)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.connections -= 1
            writer.transport.abort()

    async def _answer(self, it):
        request = f"{it.method} {it.seq}"
        self.asked.append(request)
        self.exchanges.append(it)
        script = self._script.get(request)
        answer = script.pop(0) if script else self._always.get(it.method, closed)
        if it.method == "POST" and not getattr(answer, "reads_body", False):
            self.bodies.append(await it.body())
        await answer(it)


def reads_body(answer):
    """Mark an answer that reads the request's body by itself, or not at all."""
    answer.reads_body = True
    return answer


async def closed(it):
    await it.send(200, {"Lp-Trickle-Closed": "terminated"}, b"ignore me")


def status(code, **headers):
    return lambda it: it.send(code, {name.replace("_", "-"): value for name, value in headers.items()})


def segment(seq, body):
    return lambda it: it.send(200, {"Lp-Trickle-Seq": seq}, body)


def missing(latest):
    return status(470, Lp_Trickle_Latest=latest)


def breaks_off(seq, *chunks, to_read=None):
    """Send the head and some chunks, wait until they are read, and reset the connection."""

    async def answer(it):
        await it.send(200, {"Lp-Trickle-Seq": seq}, None)
        for chunk in chunks:
            await it.send_chunk(chunk)
        if to_read is not None:
            await to_read.wait()
        reset(it.writer)

    return answer


def raw(data):
    async def answer(it):
        it.writer.write(data)
        await it.writer.drain()
        it.writer.close()

    return answer


@reads_body
async def stalled(it):
    """Neither read nor answer."""
    it.writer.transport.pause_reading()
    await asyncio.Event().wait()


async def silent(it):
    """Read, and never answer, until the client leaves."""
    with suppress(OSError, asyncio.IncompleteReadError):
        await it._reader.read()


class Wire:
    """Forwards a port to another one, and can be cut: every connection is reset, and no new one comes about."""

    def __init__(self, port):
        self.port = None
        self.connections = set()
        self._to = port
        self._server = None
        self._tasks = set()

    async def join(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port or 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        self._server.close()
        for writer in list(self.connections):
            reset(writer)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader, writer):
        if not self._server.is_serving():  # one that was on its way when the wire was cut
            reset(writer)
            return
        self.connections.add(writer)
        self._tasks.add(asyncio.create_task(self._forward(reader, writer)))

    async def _forward(self, reader, writer):
        ends, copies = [writer], []
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            ends.append(back)
            self.connections.add(back)
            copies += [asyncio.create_task(_copy(reader, back)), asyncio.create_task(_copy(there, writer))]
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            for end in ends:
                end.transport.abort()
                self.connections.discard(end)


async def _copy(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
