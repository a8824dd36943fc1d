"""What passes between client and container. Cases of go-livepeer's ``server/ai_http_test.go`` are among them."""

import asyncio
import zlib

import aiohttp
import pytest
from aiohttp import web
from runner_rig import orchestrating, static
from trickle_rig import until

from byoc_kit.network.reverse_proxy import forwarded_path
from byoc_kit.network.runner_records import RunnerError


@pytest.mark.parametrize(
    ("base", "app_path", "sent"),
    [
        ("", "", "/"),
        ("/base", "v1/foo", "/base/v1/foo"),
        ("/base", "", "/base"),
        ("/base/", "", "/base"),
        ("/base", "x/", "/base/x/"),
        ("/b", "../../x", "/x"),
        ("", "a//b", "/a/b"),
        ("", "a b", "/a%2520b"),
        ("", "a%20b", "/a%2520b"),
        ("", "é", "/%25C3%25A9"),
        ("/b c", "x", "/b%2520c/x"),
        ("", "?x#y", "/%253Fx%2523y"),
        ("", "a%2Fb", "/a%252Fb"),
        ("", "a+b&c=d;e:@!$'()*,~", "/a+b&c=d;e:@%21$%27%28%29%2A,~"),
        ("", '[x]|"^`{}', "/%255Bx%255D%257C%2522%255E%2560%257B%257D"),
    ],
)
def test_a_path_goes_out_as_go_sends_it(base, app_path, sent):
    """Each was printed by a Go program that does what ``proxyLiveRunner`` does."""
    assert forwarded_path(base, app_path) == sent


def test_a_path_that_go_cannot_join_is_a_502():
    with pytest.raises(RunnerError, match='invalid URL escape "%"') as refused:
        forwarded_path("", "100%")
    assert refused.value.status == 502


async def test_path_query_and_the_four_headers_arrive(proxied, app):
    live, http, path = proxied
    async with http.get(f"{path}/v1/foo/bar?x=1&y=two") as response:
        assert (response.status, await response.text()) == (202, "proxied")
        assert response.headers["X-Upstream"] == "ok"
        assert len(response.headers.getall("Date")) == 1
    [request] = app.requests
    session_id = path.split("/")[4]
    assert request.path_qs == "/base/v1/foo/bar?x=1&y=two"
    assert request.headers["Host"] == app.url.removeprefix("http://")
    ours = {name: value for name, value in request.headers.items() if name.startswith("Livepeer-")}
    assert ours == {
        "Livepeer-Runner-Route": "first",
        "Livepeer-Session-Id": session_id,
        "Livepeer-Session-Token": live.registry.target("first", session_id, "").token,
        "Livepeer-Session-Control": f"{http._base_url}/runner/first/session/{session_id}",
    }


async def test_the_clients_headers_pass_but_for_those_that_say_who_it_is(proxied, app):
    _, http, path = proxied
    headers = {
        "X-Custom": "kept",
        "Authorization": "Bearer app",
        "Cookie": "a=b",
        "User-Agent": "me",
        "Livepeer-Session-Token": "forged",
        "livepeer-session-id": "forged",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=1.2.3.4",
        "Connection": "X-Named, keep-alive",
        "X-Named": "dropped",
    }
    async with http.get(f"{path}/x", headers=headers):
        pass
    [request] = app.requests
    kept = {"X-Custom": "kept", "Authorization": "Bearer app", "Cookie": "a=b", "User-Agent": "me"}
    assert {name: request.headers.get(name) for name in kept} == kept
    assert not {name for name in request.headers if name.startswith(("X-Forwarded", "Forwarded", "X-Named"))}
    assert "forged" not in request.headers.values()


async def test_nothing_is_added_to_a_bare_request(proxied, app):
    _, http, path = proxied
    async with http.get(f"{path}/x", skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding")):
        pass
    [request] = app.requests
    assert {name for name in request.headers if not name.startswith("Livepeer-")} <= {"Host", "Connection"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"])
async def test_any_method_passes_with_its_body(proxied, app, method):
    _, http, path = proxied
    async with http.request(method, f"{path}/x", data=b'{"prompt":"hi"}', headers={"Content-Type": "a/b"}) as response:
        assert response.status == 202
    [request] = app.requests
    assert (request.method, request.sent, request.content_type) == (method, b'{"prompt":"hi"}', "a/b")
    assert request.headers["Content-Length"] == "15"


async def test_head_has_no_body(proxied):
    _, http, path = proxied
    async with http.head(f"{path}/x") as response:
        assert (response.status, await response.read()) == (202, b"")
        assert response.headers["Content-Length"] == "7"


async def test_a_large_body_and_answer_pass_whole(proxied, app):
    async def echo(request):
        return web.Response(body=await request.read())

    app.answers["/base/echo"] = echo
    app.client_max_size = None
    _, http, path = proxied
    data = bytes(range(256)) * 3000
    async with http.post(f"{path}/echo", data=data) as response:
        assert await response.read() == data


async def test_a_body_of_unknown_length_and_its_answer_pass_as_they_come(proxied, app):
    async def echo(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for chunk in request.content.iter_any():
            await answer.write(chunk)
        return answer

    app.answers["/base/echo"] = echo
    _, http, path = proxied
    goes_on = asyncio.Event()

    async def body():
        yield b"first"
        await goes_on.wait()
        yield b"second"

    async with http.post(f"{path}/echo", data=body()) as response:
        assert await response.content.readexactly(5) == b"first"
        goes_on.set()
        assert await response.content.readexactly(6) == b"second"


async def test_an_event_stream_is_flushed_at_once_and_ends_when_the_client_leaves(proxied, app):
    left = asyncio.Event()

    async def events(request):
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        try:
            await answer.write(b"data: 1\n\n")
            while True:
                await asyncio.sleep(0.01)
                await answer.write(b": ping\n\n")
        finally:
            left.set()

    app.answers["/base/events"] = events
    _, http, path = proxied
    async with http.get(f"{path}/events") as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readexactly(9) == b"data: 1\n\n"
        response.close()
    async with asyncio.timeout(10):
        await left.wait()


async def test_a_compressed_answer_passes_as_it_is(proxied, app):
    packed = zlib.compress(b"hello")

    async def answer(_):
        return web.Response(body=packed, headers={"Content-Encoding": "deflate"})

    app.answers["/base/packed"] = answer
    _, http, path = proxied
    async with http.get(f"{path}/packed", headers={"Accept-Encoding": "deflate"}) as response:
        assert response.headers["Content-Encoding"] == "deflate"
        assert await response.read() == b"hello"


async def test_a_redirect_and_several_cookies_pass_as_they_are(proxied, app):
    async def answer(_):
        response = web.Response(status=302, headers={"Location": "/elsewhere"})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    app.answers["/base/go"] = answer
    _, http, path = proxied
    async with http.get(f"{path}/go", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/elsewhere")
        assert len(response.headers.getall("Set-Cookie")) == 2


async def test_a_container_that_breaks_off_breaks_the_answer_off(proxied, app):
    async def answer(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"some")
        request.transport.abort()
        return response

    app.answers["/base/broken"] = answer
    _, http, path = proxied
    with pytest.raises(aiohttp.ClientPayloadError):
        async with http.get(f"{path}/broken") as response:
            await response.read()


async def test_a_container_that_does_not_answer_is_a_502_in_text(app, unused_tcp_port):
    entry, _ = static(runner_url=f"http://127.0.0.1:{unused_tcp_port}", health_url=f"{app.url}/health", routing="label")
    async with orchestrating([entry]) as (live, http):
        path = f"/apps/first/session/{live.reserve('first').session_id}/app"
        async with http.post(f"{path}/x", data=b"body") as response:
            assert response.status == 502
            assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert (await response.text()).endswith("\n")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{path}/ws")
        assert refused.value.status == 502


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/apps/first/session/unknown/app/x", "runner session not found\n"),
        ("/apps/nobody/session/unknown/app/x", "runner not found\n"),
        ("/apps/nobody/app/x", "runner not found\n"),
    ],
)
async def test_a_session_that_is_not_there_is_a_404(proxied, path, message):
    _, http, _ = proxied
    async with http.get(path) as response:
        assert (response.status, await response.text()) == (404, message)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(path)
    assert refused.value.status == 404


async def test_a_bare_app_path_is_redirected_to_one_with_a_slash(proxied, app):
    _, http, path = proxied
    async with http.post(f"{path}?x=1", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (301, f"{path}/?x=1")
    async with http.get(path) as response:
        assert response.status == 202
    assert app.requests[0].path == "/base"


async def test_a_release_cuts_no_running_request(proxied, app):
    goes_on = asyncio.Event()

    async def answer(_):
        await goes_on.wait()
        return web.Response(text="late")

    app.answers["/base/slow"] = answer
    live, http, path = proxied

    async def fetch():
        async with http.get(f"{path}/slow") as response:
            return await response.text()

    fetching = asyncio.create_task(fetch())
    await until(lambda: app.requests)
    live.registry.release("first", path.split("/")[4])
    goes_on.set()
    assert await fetching == "late"


@pytest.mark.parametrize("prefix", ["/apps/first/app", "/run/first"])
async def test_a_single_shot_request_is_a_session_for_its_time(single_shot, app, prefix):
    live, http = single_shot
    used = []

    async def answer(request):
        used.append(live.registry.discovered()[0]["capacity_used"])
        headers = {"Livepeer-Session-Token": request.headers["Livepeer-Session-Token"]}
        control = request.headers["Livepeer-Session-Control"]
        async with http.post(f"{control}/channels", json={"channels": [{"name": "x"}]}, headers=headers) as made:
            assert made.status == 200
        async with http.get("/apps/first/app/again") as refused:
            assert (refused.status, await refused.text()) == (503, "no capacity available for runner\n")
        return web.Response(text="done")

    app.answers["/v1/foo"] = answer
    async with http.post(f"{prefix}/v1/foo?x=1", data=b"hi") as response:
        assert await response.text() == "done"
    assert app.requests[0].path_qs == "/v1/foo?x=1"
    assert used == [1]
    await until(lambda: live.registry.discovered()[0]["capacity_used"] == 0)
    assert list(live.channels) == []


async def test_a_single_shot_request_whose_client_leaves_frees_its_slot(single_shot, app):
    live, http = single_shot

    async def answer(_):
        await asyncio.Event().wait()

    app.answers["/hang"] = answer
    asking = asyncio.create_task(http.get("/apps/first/app/hang").__aenter__())
    await until(lambda: app.requests)
    asking.cancel()
    await until(lambda: live.registry.discovered()[0]["capacity_used"] == 0)


async def test_a_single_shot_runner_that_goes_during_its_request_is_no_fault(single_shot, app):
    live, http = single_shot

    async def answer(_):
        live.registry.close()
        return web.Response(text="done")

    app.answers["/x"] = answer
    async with http.get("/apps/first/app/x") as response:
        assert await response.text() == "done"


async def test_a_persistent_runner_takes_no_single_shot(proxied):
    _, http, _ = proxied
    async with http.get("/apps/first/app/x") as response:
        assert (response.status, await response.text()) == (400, "runner is not single-shot\n")


async def test_a_generated_proxy_leads_to_another_port_of_the_container(proxied, app):
    live, http, path = proxied
    session_id = path.split("/")[4]
    made = live.registry.create_proxy("first", session_id, f"{app.url}/ui/")
    async with http.get(f"{made['url']}/index.html?x=1") as response:
        assert response.status == 202
    assert app.requests[0].path_qs == "/ui/index.html?x=1"
    assert app.requests[0].headers["Livepeer-Session-Id"] == session_id
    live.registry.release("first", session_id)
    async with http.get(made["url"]) as response:
        assert (response.status, await response.text()) == (404, "live runner proxy not found\n")
