"""What a Live Runner orchestrator does by itself: expiry, health checks, keep-alive, restart."""

from runner_rig import SECRET, ask, orchestrating, static


async def test_a_runner_that_heartbeats_no_more_is_removed(app):
    options = {"heartbeat_interval_s": 0.1, "heartbeat_ttl_s": 0.5}  # a busy machine may ask a little late
    async with orchestrating(**options) as (live, http):
        body = {"runner_id": "r", "runner_url": app.url, "app": "a"}
        _, answer = await ask(http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": SECRET})
        assert (answer["heartbeat_interval"], answer["heartbeat_ttl"]) == ("100ms", "500ms")
        async with http.get(f"/ai/trickle/{answer['o2r']['channel_name']}/0") as response:
            assert response.headers["Lp-Trickle-Closed"] == "terminated"
        assert list(live.registry) == []


async def test_a_runner_hears_of_its_sessions_and_is_kept_alive(app):
    async with orchestrating(keep_alive_interval_s=0.05) as (_, http):
        body = {"runner_id": "r", "runner_url": app.url, "app": "a"}
        _, answer = await ask(http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": SECRET})
        url = f"/ai/trickle/{answer['o2r']['channel_name']}"
        assert await ask(http, "GET", f"{url}/0") == (200, {"keep": "alive"})
        _, reserved = await ask(http, "POST", "/apps/r/session")
        heard = []
        seq = 1
        while not heard:
            _, message = await ask(http, "GET", f"{url}/{seq}")
            heard += [message] if "event" in message else []
            seq += 1
        assert (heard[0]["event"], heard[0]["session"]) == ("reserved", reserved["session_id"])


async def test_one_failed_health_check_ends_all_sessions_of_a_static_runner(app):
    entry, _ = static(runner_url=app.url, routing="label", capacity=2)
    async with orchestrating([entry]) as (live, http):
        _, reserved = await ask(http, "POST", "/apps/first/session")
        live.faults.fails_health = True
        await live.check_health()
        assert await ask(http, "GET", f"{reserved['app_url']}/x") == (404, "runner not found\n")
        live.faults.fails_health = False
        await live.check_health()
        assert await ask(http, "GET", f"{reserved['app_url']}/x") == (404, "runner session not found\n")


async def test_health_is_asked_again_and_again(app):
    entry, _ = static(runner_url=app.url, routing="label")
    async with orchestrating([entry], health_interval_s=0.01) as (live, http):
        assert (await ask(http, "POST", "/apps/first/session"))[0] == 200
        app.health = 204
        while live.registry.discovered():
            await ask(http, "GET", "/discovery")
        assert (await ask(http, "POST", "/apps/first/session"))[0] == 404


async def test_a_static_runner_nobody_answers_for_is_not_shown(unused_tcp_port):
    entry, _ = static(runner_url=f"http://127.0.0.1:{unused_tcp_port}")
    async with orchestrating([entry]) as (live, _):
        assert live.registry.discovered() == []


async def test_a_restart_forgets_all_but_what_was_declared(app, unused_tcp_port):
    entry, _ = static(runner_url=app.url, routing="label")
    async with orchestrating([entry]) as (live, http):
        body = {"runner_id": "r", "runner_url": app.url, "app": "a"}
        _, answer = await ask(http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": SECRET})
        _, reserved = await ask(http, "POST", "/apps/first/session")
        await live.restart()
        asked = await ask(
            http, "POST", "/runners/heartbeat", json=body, headers={"Authorization": answer["heartbeat_secret"]}
        )
        assert asked == (401, "invalid registration authorization\n")
        assert (await ask(http, "GET", f"{reserved['app_url']}/x"))[0] == 404
        assert (await ask(http, "GET", f"/ai/trickle/{answer['o2r']['channel_name']}/next"))[0] == 404
        assert (await ask(http, "POST", "/apps/first/session"))[0] == 200
