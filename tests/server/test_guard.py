"""Who may call: a token where one is set, and no web page."""

import json

import aiohttp
import pytest
from pydantic import SecretStr
from server_rig import until

from byoc_kit.server.guard import _means_this_machine, _own_names
from byoc_kit.server.settings import ServerSettings

TOKEN = "s3cret-token"  # noqa: S105  # of the test alone
READS = ("/", "/metrics", "/stream/status", "/hardware/info", "/app-version", "/nowhere")
POSTS = ("/stream/start", "/stream/params", "/stream/stop", "/live-video-to-video", "/process")


def passthrough(frame):
    return frame


@pytest.fixture
async def open_server(rig):
    async with rig(passthrough) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        yield it


@pytest.fixture
async def guarded(rig):
    async with rig(passthrough, options={"settings": ServerSettings(token=SecretStr(TOKEN))}) as it:
        await until(lambda: it.server._is_ready, "the server is ready")
        yield it


async def status(it, method, path, **options):
    async with it.http.request(method, f"{it.url}{path}", **options) as answer:
        return answer.status


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}],
    ids=["none", "wrong", "no scheme", "other scheme"],
)
async def test_without_the_token_everything_but_health_and_version_is_401(guarded, headers, caplog):
    for path in ("/health", "/health/live-runner", "/version"):
        assert await status(guarded, "GET", path, headers=headers) == 200
        assert await status(guarded, "HEAD", path, headers=headers) == 200
    for method, paths in {"GET": READS, "POST": (*POSTS, "/health")}.items():
        for path in paths:
            async with guarded.http.request(method, f"{guarded.url}{path}", headers=headers) as answer:
                assert answer.status == 401, path
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                said = await answer.json()
                message = said["detail"]["msg"] if path == "/live-video-to-video" else said["message"]
                assert message == "send the token as Authorization: Bearer TOKEN"
    assert TOKEN not in caplog.text


async def test_with_the_token_all_is_as_without_one_also_for_a_page(guarded):
    headers = {"Authorization": f"bearer {TOKEN}", "Origin": "https://elsewhere.example", "Host": "elsewhere.example"}
    assert await guarded.post("/stream/start", guarded.start_body(), headers=headers) == (
        200,
        {"status": "success", "message": "stream started", "stream_id": "request-1"},
    )
    assert await status(guarded, "GET", "/stream/status", headers=headers) == 200
    assert await guarded.post("/stream/stop", headers=headers) == (200, {"status": "success", "stopped": 1})


async def test_where_no_token_is_set_any_is_taken(open_server):
    assert await status(open_server, "GET", "/stream/status", headers={"Authorization": "Bearer whatever"}) == 200


async def test_a_post_that_names_the_page_it_comes_from_is_refused(open_server):
    for origin in ("https://elsewhere.example", "null", open_server.url):
        for path in POSTS:
            answered = await status(
                open_server, "POST", path, json=open_server.start_body(), headers={"Origin": origin}
            )
            assert answered == (400 if path == "/live-video-to-video" else 403)
    assert not len(open_server.server.sessions)
    assert await status(open_server, "GET", "/stream/status", headers={"Origin": "https://elsewhere.example"}) == 200


async def test_what_an_orchestrator_passes_on_for_a_page_is_taken(open_server):
    passed_on = {
        "Livepeer-Session-Id": "session_abcdefgh",
        "Livepeer-Runner-Route": "first",
        "Livepeer-Session-Token": "token",
        "Livepeer-Session-Control": "https://orchestrator:8935/runner/first/session/session_abcdefgh",
    }
    page = {"Origin": "https://elsewhere.example", "Content-Type": "text/plain"}
    body = {"data": json.dumps(open_server.start_body()).encode()}
    # The guard lets it pass; then the stream's own addresses are refused.
    assert await status(open_server, "POST", "/stream/start", headers=page | passed_on, **body) == 400
    assert await status(open_server, "POST", "/stream/stop", headers=page | passed_on) == 200
    rebound = {"Origin": "http://rebound.example:8000", "Host": "rebound.example:8000"}
    own = {"Origin": open_server.url}
    for headers in (rebound, own):
        assert await status(open_server, "POST", "/stream/start", headers=headers | passed_on, **body) == 403


async def test_the_first_refusal_for_each_reason_is_logged(open_server, caplog):
    for _ in range(3):
        await status(open_server, "GET", "/metrics", headers={"Host": "rebound.example:8000"})
        await status(open_server, "POST", "/stream/stop", headers={"Origin": "https://elsewhere.example"})
    refusals = [record.getMessage() for record in caplog.records if record.name == "byoc_kit.server.guard"]
    assert [said.partition(": ")[0] for said in refusals] == [
        "a GET of /metrics is refused",
        "a POST of /stream/stop is refused",
    ]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
async def test_a_start_that_any_page_could_send_is_refused(open_server, content_type):
    for path in ("/stream/start", "/stream/params", "/live-video-to-video"):
        options = {"data": b"{}", "headers": {"Content-Type": content_type}}
        answered = await status(open_server, "POST", path, **options)
        assert answered == (400 if path == "/live-video-to-video" else 415)
    assert await status(open_server, "POST", "/stream/stop", data=b"", headers={"Content-Type": content_type}) == 200


async def test_a_body_without_a_content_type_is_taken(open_server):
    for path in ("/stream/start", "/stream/stop"):
        body = b'{"gateway_request_id": "x"}'
        async with open_server.http.post(
            f"{open_server.url}{path}", data=body, skip_auto_headers=["Content-Type"]
        ) as answer:
            assert answer.status == 200


@pytest.mark.parametrize("path", ["/stream/status", "/metrics", "/"])
async def test_a_host_whose_name_was_made_to_lead_here_is_refused(open_server, path):
    assert await status(open_server, "GET", path, headers={"Host": "rebound.example:8000"}) == 403
    assert await status(open_server, "GET", "/health", headers={"Host": "rebound.example:8000"}) == 200
    assert await status(open_server, "GET", path, headers={"Host": "localhost:8000"}) == 200


async def test_a_proxy_before_the_server_may_name_its_own_host_in_a_post(open_server):
    """As nginx and tunnels do that keep the Host of their client."""
    assert await status(open_server, "POST", "/stream/stop", headers={"Host": "live.example"}) == 200


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("127.0.0.1:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("LocalHost.", True),
        ("app.localhost:80", True),
        ("10.0.0.7", True),
        ("rebound.example", False),
        ("localhost.rebound.example:80", False),
        ("127.0.0.1.rebound.example", False),
        ("", False),
    ],
)
async def test_an_address_and_localhost_mean_this_machine(host, is_here):
    assert await _means_this_machine(host) is is_here


@pytest.fixture
def named(monkeypatch):
    """Give this machine a name, and a domain."""

    def named(own):
        monkeypatch.setattr("socket.gethostname", lambda: own)
        monkeypatch.setattr("socket.getfqdn", lambda _: "Studio.example.org")
        _own_names.cache_clear()

    yield named
    _own_names.cache_clear()


@pytest.mark.parametrize("own", ["studio", "studio.example.org"])
async def test_the_machines_own_name_means_it_with_and_without_its_domain(named, own):
    named(own)
    assert await _means_this_machine("studio:8000")
    assert await _means_this_machine("Studio.example.org")
    assert await _means_this_machine("studio.local:8000")
    assert not await _means_this_machine("example.org")


@pytest.mark.parametrize("own", ["studio", "studio.example.org"])
async def test_a_host_of_that_name_in_another_domain_is_not_this_machine(named, own):
    named(own)
    assert not await _means_this_machine("studio.rebound.example:8000")


async def test_the_waiting_room_is_guarded_too():
    from aiohttp import web

    from byoc_kit.server.serve import WaitingRoom

    runner = web.AppRunner(WaitingRoom(ServerSettings(token=SecretStr(TOKEN))).app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as http:
            for headers, expected in (({}, 401), ({"Authorization": f"Bearer {TOKEN}"}, 503)):
                async with http.get(f"{url}/stream/status", headers=headers) as answer:
                    assert answer.status == expected
            for path in ("/health", "/health/live-runner"):
                async with http.get(f"{url}{path}") as answer:
                    assert answer.status == 503
    finally:
        await runner.cleanup()
