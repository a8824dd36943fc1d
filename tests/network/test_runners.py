"""The registry's rules. Many cases are those of go-livepeer's ``ai/runner/live_runner_test.go``."""

import gc
import re
import tracemalloc

import pytest
from runner_rig import INTERNAL, PUBLIC, SECRET, beat, messages, refused, static

from byoc_kit.network.runners import AppTarget, InjectedFaults, SingleShotTarget


def test_the_first_answer_has_all_that_a_runner_needs(registry, channels):
    answer = registry.heartbeat(beat(""), SECRET)
    assert re.fullmatch(r"runner_[a-z2-7]{8}", answer["runner_id"])
    assert re.fullmatch(r"[a-z2-7]{52}", answer["heartbeat_secret"])
    o2r = answer["o2r"]
    assert re.fullmatch(rf"{answer['runner_id']}-[a-z2-7]{{16}}-o2r", o2r["channel_name"])
    assert answer == {
        "runner_id": answer["runner_id"],
        "orchestrator": INTERNAL,
        "heartbeat_interval": "5s",
        "heartbeat_ttl": "20s",
        "heartbeat_secret": answer["heartbeat_secret"],
        "o2r": {
            "name": "o2r",
            "channel_name": o2r["channel_name"],
            "url": f"{INTERNAL}/ai/trickle/{o2r['channel_name']}",
            "mime_type": "application/json",
        },
        "session_ids": [],
    }
    assert channels.find(o2r["channel_name"]).content_type == "application/json"


def test_later_answers_have_neither_secret_nor_channel(registry, register):
    first = register()
    later = registry.heartbeat(beat(), first["heartbeat_secret"])
    assert later == {key: value for key, value in first.items() if key not in ("heartbeat_secret", "o2r")}


def test_a_runner_may_choose_its_id_which_is_trimmed(register):
    assert register(" mine ")["runner_id"] == "mine"


def test_registration_wants_the_orchestrators_secret(registry):
    with refused(401, "invalid registration authorization"):
        registry.heartbeat(beat(), "wrong")


@pytest.mark.parametrize("authorization", ["", SECRET])
def test_registration_is_off_without_a_secret(make, authorization):
    with refused(404, "dynamic live runner registration is disabled"):
        make(secret="").heartbeat(beat(), authorization)


def test_a_known_runner_wants_its_own_secret(registry, register):
    register()
    for wrong in ("", SECRET, "ü"):
        with refused(401, "invalid heartbeat authorization"):
            registry.heartbeat(beat(), wrong)


def test_a_static_runner_cannot_heartbeat(registry):
    [entry] = registry.register_static([static()])
    with refused(401, "invalid heartbeat authorization"):
        registry.heartbeat(beat(entry["runner_id"]), SECRET)
    with refused(400, "static runner cannot heartbeat"):
        registry.heartbeat(beat(entry["runner_id"]), "")


def test_a_lower_capacity_ends_no_session_and_lets_none_begin(registry, register):
    secret = register(capacity=2)["heartbeat_secret"]
    registry.reserve("runner-1")
    registry.reserve("runner-1")
    answer = registry.heartbeat(beat(capacity=1), secret)
    assert len(answer["session_ids"]) == 2
    assert registry.discovered()[0]["capacity_available"] == -1
    with refused(503):
        registry.reserve("runner-1")


def test_lost_heartbeats_are_404_until_the_sweep_and_401_after(registry, register, clock, channels):
    first = register()
    session = registry.reserve("runner-1").session_id
    registry.create_channel("runner-1", session, "in", "")
    clock.pass_(20)
    registry.sweep()
    assert len(registry.discovered()) == 1
    clock.pass_(0.001)
    assert registry.discovered() == []
    for ask in (
        lambda: registry.heartbeat(beat(), first["heartbeat_secret"]),
        lambda: registry.heartbeat(beat(), SECRET),
        lambda: registry.unregister("runner-1", first["heartbeat_secret"]),
        lambda: registry.reserve("runner-1"),
        lambda: registry.target("runner-1", session, "x"),
        lambda: registry.release("runner-1", session),
    ):
        with refused(404, "runner not found"):
            ask()
    assert channels.find(f"{session}-in") is not None
    registry.sweep()
    assert list(channels) == []
    with refused(401, "invalid registration authorization"):
        registry.heartbeat(beat(), first["heartbeat_secret"])
    again = registry.heartbeat(beat(), SECRET)
    assert again["heartbeat_secret"] != first["heartbeat_secret"]
    assert again["session_ids"] == []


def test_a_restarted_container_is_401_until_its_old_record_is_gone(registry, register):
    register()
    with refused(401, "invalid heartbeat authorization"):
        registry.heartbeat(beat(), SECRET)


def test_an_unregistered_runner_is_gone_with_all_it_had(registry, register, channels):
    secret = register()["heartbeat_secret"]
    session = registry.reserve("runner-1").session_id
    registry.create_channel("runner-1", session, "in", "")
    with refused(401, "invalid authorization"):
        registry.unregister("runner-1", "wrong")
    registry.unregister("runner-1", secret)
    assert list(channels) == []
    with refused(404, "runner not found"):
        registry.unregister("runner-1", secret)


def test_a_static_runner_cannot_unregister(registry):
    [entry] = registry.register_static([static()])
    with refused(400, "static runner cannot unregister with heartbeat credentials"):
        registry.unregister(entry["runner_id"], "")


def test_a_session_is_reserved_for_its_runner(registry, register):
    register()
    reserved = registry.reserve("runner-1")
    assert re.fullmatch(r"session_[a-z2-7]{8}", reserved.session_id)
    assert reserved.app_url == f"{PUBLIC}/apps/runner-1/session/{reserved.session_id}/app"
    assert registry.urls.session("runner-1", reserved.session_id) == reserved.app_url.removesuffix("/app")


def test_capacity_is_held_and_free_again_after_a_release(registry, register):
    register()
    first = registry.reserve("runner-1").session_id
    with refused(503, "no capacity available for runner"):
        registry.reserve("runner-1")
    registry.release("runner-1", "session_unknown")
    registry.release("runner-1", first)
    registry.release("runner-1", first)
    assert registry.reserve("runner-1").session_id != first


def test_an_id_that_is_taken_is_a_409_before_the_capacity(registry, register):
    register()
    registry.reserve("runner-1", "paid")
    with refused(409, "session already exists"):
        registry.reserve("runner-1", "paid")


def test_an_unknown_runner_is_a_404(registry):
    for ask in (registry.mode, registry.reserve, lambda route: registry.release(route, "session_x")):
        with refused(404, "runner not found"):
            ask("nobody")


def test_a_runner_that_is_not_ready_hides_even_its_running_sessions(registry, register):
    secret = register()["heartbeat_secret"]
    session = registry.reserve("runner-1").session_id
    token = registry.target("runner-1", session, "").token
    registry.heartbeat(beat(status="draining"), secret)
    assert registry.discovered() == []
    for ask in (
        lambda: registry.mode("runner-1"),
        lambda: registry.reserve("runner-1"),
        lambda: registry.target("runner-1", session, "x"),
        lambda: registry.check_token("runner-1", session, token),
        lambda: registry.create_channel("runner-1", session, "in", ""),
        lambda: registry.delete_channel("runner-1", session, "in"),
        lambda: registry.create_proxy("runner-1", session, ""),
    ):
        with refused(404, "runner not found"):
            ask()
    registry.heartbeat(beat(), secret)
    registry.check_token("runner-1", session, token)


def test_a_channel_has_one_url_for_the_client_and_one_for_the_container(registry, register, channels):
    register()
    session = registry.reserve("runner-1").session_id
    channel = registry.create_channel("runner-1", session, " foo/bar ", "video/MP2T")
    name = f"{session}-foo-bar"
    assert channel.as_json() == {
        "name": "foo-bar",
        "channel_name": name,
        "url": f"{PUBLIC}/ai/trickle/{name}",
        "internal_url": f"{INTERNAL}/ai/trickle/{name}",
        "mime_type": "video/MP2T",
    }
    assert channels.find(name).content_type == "video/MP2T"
    assert registry.create_channel("runner-1", session, "foo/bar", "application/json") == channel
    assert registry.create_channel("runner-1", session, "x", " ").mime_type == "application/octet-stream"


def test_a_channel_is_deleted_and_a_release_deletes_the_rest(registry, register, channels):
    register()
    session = registry.reserve("runner-1").session_id
    for name in ("in", "out"):
        registry.create_channel("runner-1", session, name, "")
    registry.delete_channel("runner-1", session, "in")
    assert channels.find(f"{session}-in") is None
    with refused(404, "trickle channel not found"):
        registry.delete_channel("runner-1", session, "in")
    held = channels.find(f"{session}-out")
    registry.release("runner-1", session)
    assert held.is_closed
    assert channels.find(f"{session}-out") is None


def test_a_channel_that_died_of_silence_keeps_its_name(registry, register, channels, clock):
    secret = register()["heartbeat_secret"]
    session = registry.reserve("runner-1").session_id
    dead = registry.create_channel("runner-1", session, "in", "")
    for _ in range(31):
        clock.pass_(10)
        registry.keep_alive()
        registry.heartbeat(beat(), secret)
    channels.sweep()
    assert channels.find(dead.channel_name) is None
    assert registry.create_channel("runner-1", session, "in", "") == dead
    assert channels.find(dead.channel_name) is None
    with refused(500, "Invalid stream"):
        registry.delete_channel("runner-1", session, "in")
    assert registry.create_channel("runner-1", session, "in", "") == dead
    registry.release("runner-1", session)


async def test_messages_can_be_lost(make, channels):
    faults = InjectedFaults()
    registry = make(faults=faults)
    answer = registry.heartbeat(beat(), SECRET)
    faults.loses_messages = True
    session = registry.reserve("runner-1").session_id
    assert await messages(registry, channels, answer) == []
    faults.loses_messages = False
    registry.release("runner-1", session)
    assert [one["event"] for one in await messages(registry, channels, answer)] == ["released"]


def test_capacity_can_be_refused(make):
    faults = InjectedFaults(is_full=True)
    registry = make(faults=faults)
    registry.heartbeat(beat(), SECRET)
    with refused(503, "no capacity available for runner"):
        registry.reserve("runner-1")
    faults.is_full = False
    registry.reserve("runner-1")


def test_who_writes_the_messages_is_told_of_each(make):
    told = []
    registry = make(on_message=lambda: told.append(1))
    registry.heartbeat(beat(), SECRET)
    registry.reserve("runner-1")
    assert told == [1]


def test_a_static_runner_never_expires(registry, clock):
    registry.register_static([static()])
    clock.pass_(1e6)
    registry.sweep()
    assert len(registry.discovered()) == 1


def test_one_failed_check_hides_a_static_runner_and_ends_all_its_sessions(registry, channels):
    [entry] = registry.register_static([static(capacity=2)])
    route = entry["runner_id"]
    for _ in range(2):
        session = registry.reserve(route).session_id
        registry.create_channel(route, session, "in", "")
    [runner] = registry
    registry.set_health(runner, is_healthy=False)
    assert registry.discovered() == []
    assert list(channels) == []
    registry.set_health(runner, is_healthy=True)
    with refused(404, "runner session not found"):
        registry.target(route, session, "")
    assert registry.discovered()[0]["capacity_used"] == 0


def test_registering_a_label_again_keeps_id_and_sessions_and_leaves_others(registry):
    first, other = registry.register_static([static(), static("other")])
    session = registry.reserve(first["runner_id"]).session_id
    token = registry.target(first["runner_id"], session, "").token
    [again] = registry.register_static([static(runner_url="http://updated.example.com")])
    assert again["runner_id"] == first["runner_id"]
    target = registry.target(first["runner_id"], session, "")
    assert (target.url, target.token) == ("http://updated.example.com", token)
    assert registry.mode(other["runner_id"]) == "persistent"


def test_registering_an_unhealthy_label_again_ends_its_sessions(registry):
    [entry] = registry.register_static([static()])
    session = registry.reserve(entry["runner_id"]).session_id
    registry.register_static([static(is_healthy=False)])
    registry.register_static([static()])
    with refused(404, "runner session not found"):
        registry.target(entry["runner_id"], session, "")


def test_a_label_can_be_the_route_and_become_it_later(registry):
    [entry] = registry.register_static([static()])
    registry.register_static([static(routing="label")])
    assert registry.discovered()[0]["url"] == f"{PUBLIC}/apps/first/session"
    registry.reserve("first")
    with refused(404, "runner not found"):
        registry.mode(entry["runner_id"])


def test_a_label_takes_the_route_of_a_dynamic_runner(registry, register, channels):
    register("first")
    registry.register_static([static(routing="label")])
    assert len(registry.discovered()) == 1
    assert list(channels) == []


@pytest.mark.parametrize(
    ("proxies", "url", "host", "path"),
    [
        (PUBLIC + "/run/{proxy}", f"{PUBLIC}/run/runner-1", "public.example.com", "/run/runner-1/v1/foo"),
        ("http://{proxy}.localhost:9935", "http://runner-1.localhost:9935", "runner-1.localhost:9935", "/v1/foo"),
    ],
)
def test_a_single_shot_proxy_leads_to_its_runner(make, proxies, url, host, path):
    registry = make(proxies=proxies)
    registry.heartbeat(beat(mode="single-shot", proxy=True, label="metadata-label"), SECRET)
    assert registry.discovered()[0]["url"] == url
    assert registry.find_proxy(host, path) == SingleShotTarget("runner-1", "v1/foo")


def test_a_proxied_session_has_a_url_that_says_nothing_of_it(registry, register):
    register(proxy=True, runner_url="https://runner.example.com/base")
    reserved = registry.reserve("runner-1")
    proxy_id = reserved.app_url.removeprefix(f"{PUBLIC}/run/")
    assert re.fullmatch(r"[a-z2-7]{26}", proxy_id)
    target = registry.find_proxy("public.example.com", f"/run/{proxy_id}/foo")
    token = registry.target("runner-1", reserved.session_id, "").token
    assert target == AppTarget("runner-1", reserved.session_id, token, "https://runner.example.com/base", "foo")
    registry.release("runner-1", reserved.session_id)
    with refused(404, "live runner proxy not found"):
        registry.find_proxy("public.example.com", f"/run/{proxy_id}/foo")


def test_a_request_for_no_proxy_is_left_to_the_other_routes(registry):
    assert registry.find_proxy("public.example.com", "/discovery") is None
    assert registry.find_proxy("other.example.com", "/run/x") is None


def test_closing_leaves_no_channel(registry, register, channels):
    register()
    registry.create_channel("runner-1", registry.reserve("runner-1").session_id, "in", "")
    registry.close()
    assert list(channels) == []
    assert list(registry) == []


def test_memory_is_flat_over_a_thousand_sessions(registry, register, channels):
    secret = register()["heartbeat_secret"]

    def run_sessions(count):
        for _ in range(count):
            session = registry.reserve("runner-1").session_id
            for name in ("in", "out", "data"):
                registry.create_channel("runner-1", session, name, "")
            registry.create_proxy("runner-1", session, "")
            registry.write_messages()
            registry.release("runner-1", session)
            registry.write_messages()
            registry.heartbeat(beat(), secret)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = run_sessions(100)
        growth = run_sessions(1000) - before
    finally:
        tracemalloc.stop()
    [runner] = registry
    assert runner.sessions == {}
    assert [channel.name for channel in channels] == [runner.signals.descriptor.channel_name]
    assert growth < 20_000  # a session that is kept takes some 2 kB
