import aiohttp
import pytest
from aiohttp import web
from runner_rig import orchestrating, static
from trickle_rig import until


@pytest.fixture
def echo_websocket(app):
    async def echo(request):
        socket = web.WebSocketResponse(protocols=("chat",))
        await socket.prepare(request)
        async for message in socket:
            if message.data == "bye":
                await socket.close(code=4001, message=b"as you wish")
            elif message.type == aiohttp.WSMsgType.TEXT:
                await socket.send_str(f"{message.data} of {request.headers['Livepeer-Session-Id']}")
            else:
                await socket.send_bytes(message.data)
        return socket

    app.answers["/base/ws"] = echo


@pytest.mark.usefixtures("echo_websocket")
async def test_a_websocket_passes_both_ways(proxied, app):
    _, http, path = proxied
    headers = {"Livepeer-Session-Id": "forged", "X-Forwarded-For": "1.2.3.4", "X-Custom": "kept"}
    async with http.ws_connect(f"{path}/ws?x=1", protocols=("chat",), headers=headers) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        assert await socket.receive_str() == f"hello of {path.split('/')[4]}"
        data = bytes(range(256)) * 2000
        await socket.send_bytes(data)
        assert await socket.receive_bytes() == data
        await socket.send_str("bye")
        closing = await socket.receive()
        assert (closing.type, closing.data, closing.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as you wish")
    [request] = app.requests
    assert request.path_qs == "/base/ws?x=1"
    assert request.headers.getall("Livepeer-Session-Id") == [path.split("/")[4]]
    assert request.headers["Host"] == app.url.removeprefix("http://")
    assert request.headers["X-Custom"] == "kept"
    assert "X-Forwarded-For" not in request.headers


@pytest.mark.usefixtures("echo_websocket")
async def test_a_websocket_survives_its_session_and_ends_with_the_orchestrator(app):
    entry, _ = static(runner_url=f"{app.url}/base", health_url=f"{app.url}/health", routing="label")
    async with aiohttp.ClientSession() as client:
        async with orchestrating([entry]) as (live, http):
            session_id = live.reserve("first").session_id
            socket = await client.ws_connect(f"{http._base_url}/apps/first/session/{session_id}/app/ws")
            live.registry.release("first", session_id)
            await socket.send_str("still")
            assert await socket.receive_str() == f"still of {session_id}"
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        await socket.close()


async def test_a_container_may_refuse_a_websocket(proxied, app):
    async def refuse(_):
        return web.Response(status=403, text="not you")

    app.answers["/base/ws"] = refuse
    _, http, path = proxied
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    async with http.get(f"{path}/ws", headers=headers) as response:
        assert (response.status, await response.text()) == (403, "not you")


async def test_a_single_shot_websocket_frees_its_slot_at_its_end(single_shot, app):
    live, http = single_shot

    async def answer(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    app.answers["/ws"] = answer
    async with http.ws_connect("/apps/first/app/ws"):
        assert live.registry.discovered()[0]["capacity_used"] == 1
    await until(lambda: live.registry.discovered()[0]["capacity_used"] == 0)
