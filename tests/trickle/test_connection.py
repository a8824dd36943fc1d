import subprocess
import sys

from aiohttp import web
from web_rig import served

from byoc_kit.trickle.connection import client_session

DEADLINE_S = 30


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
