import asyncio
from urllib.parse import urlsplit

import pytest
from trickle_rig import Rogue, Wire, until

from byoc_kit.network.serving import serving
from byoc_kit.trickle import connection
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.connection import client_session
from byoc_kit.trickle.server import create_app


@pytest.fixture(autouse=True)
def no_tail(monkeypatch):
    """Let a publisher delete its channel at once: here nobody reads late."""
    monkeypatch.setattr(connection, "TAIL_S", 0)


@pytest.fixture
async def http():
    async with client_session() as session:
        yield session


@pytest.fixture
def channels():
    return Channels()


@pytest.fixture
async def url(channels):
    """The URL of the channel `ch` on a real trickle server."""
    async with serving(create_app(channels=channels)) as base:
        channels.create("ch", "video/MP2T")
        yield f"{base}/ai/trickle/ch"
        channels.close()


@pytest.fixture
async def rogue():
    async with Rogue().serving() as it:
        yield it


@pytest.fixture
async def wire(url):
    """A wire to the real server; ``wire.url`` is the channel through it."""
    parts = urlsplit(url)
    it = Wire(parts.port)
    await it.join()
    it.url = parts._replace(netloc=f"127.0.0.1:{it.port}").geturl()
    yield it
    await it.cut()


@pytest.fixture
async def nothing_left(http):
    """Return a check that since its making no task has stayed, and that the client holds no connection."""
    before = asyncio.all_tasks()

    async def check(server=None):
        await until(lambda: not http.connector._acquired)
        here = {*before, asyncio.current_task()}
        await until(lambda: not any(_is_ours(task) for task in asyncio.all_tasks() - here))
        if server is not None:
            await until(lambda: server.connections == sum(len(idle) for idle in http.connector._conns.values()))

    return check


def _is_ours(task):
    """Leave out the tasks that serve."""
    return not task.get_coro().__qualname__.startswith(("Rogue.", "Wire.", "RequestResponseCycle.", "_copy"))
