"""What discovery shows of a runner, its secrets, and the channel on which it hears of its sessions."""

import re

from runner_rig import PUBLIC, beat, messages, refused, static

from byoc_kit.network.runner_records import Gpu


def test_each_heartbeat_replaces_all_that_was_said(registry, register):
    secret = register(capacity=3, metadata="m", version="1", gpu=Gpu(name="L40S", vram_mb=46068))["heartbeat_secret"]
    assert registry.discovered() == [
        {
            "url": f"{PUBLIC}/apps/runner-1/session",
            "gpu": {"name": "L40S", "vram_mb": 46068},
            "app": "live-video-to-video/scope",
            "version": "1",
            "metadata": "m",
            "mode": "persistent",
            "capacity": 3,
            "capacity_used": 0,
            "capacity_available": 3,
        }
    ]
    registry.heartbeat(beat(), secret)
    assert registry.discovered() == [
        {
            "url": f"{PUBLIC}/apps/runner-1/session",
            "app": "live-video-to-video/scope",
            "mode": "persistent",
            "capacity": 1,
            "capacity_used": 0,
            "capacity_available": 1,
        }
    ]


def test_an_answer_lists_the_sessions_oldest_first(registry, register, clock):
    secret = register(capacity=3)["heartbeat_secret"]
    registry.reserve("runner-1", "session-z-oldest")
    clock.pass_(0.001)
    registry.reserve("runner-1", "session-b")
    registry.reserve("runner-1", "session-a")
    answer = registry.heartbeat(beat(capacity=3, session_ids=("another",)), secret)
    assert answer["session_ids"] == ["session-z-oldest", "session-a", "session-b"]


def test_a_token_is_the_sessions_own_and_stays_the_same(registry, register):
    register(capacity=2)
    one, other = registry.reserve("runner-1").session_id, registry.reserve("runner-1").session_id
    token = registry.target("runner-1", one, "").token
    assert re.fullmatch(r"[a-z2-7]{52}", token)
    registry.check_token("runner-1", one, token)
    registry.check_token("runner-1", one, registry.target("runner-1", one, "").token)
    with refused(401, "invalid authorization"):
        registry.check_token("runner-1", other, token)
    with refused(404, "runner session not found"):
        registry.check_token("runner-1", "session_unknown", token)


async def test_a_runner_hears_of_its_sessions(registry, register, channels, clock):
    answer = register()
    clock.pass_(1.5)
    session = registry.reserve("runner-1").session_id
    clock.pass_(0.5)
    registry.release("runner-1", session)
    assert await messages(registry, channels, answer) == [
        {"event": "reserved", "session": session, "timestamp": "2026-08-18T00:00:01.5Z"},
        {"event": "released", "session": session, "timestamp": "2026-08-18T00:00:02Z"},
    ]


async def test_a_runner_is_kept_alive_until_it_is_removed(registry, register, channels):
    answer = register()
    channel = channels.find(answer["o2r"]["channel_name"])
    registry.keep_alive()
    assert await messages(registry, channels, answer) == [{"keep": "alive"}]
    registry.unregister("runner-1", answer["heartbeat_secret"])
    registry.keep_alive()
    assert channel.is_closed
    assert list(channels) == []


async def test_the_33rd_message_that_waits_is_dropped_and_the_ring_keeps_five(registry, register, channels):
    answer = register(capacity=40)
    sessions = [registry.reserve("runner-1").session_id for _ in range(40)]
    assert [one["session"] for one in await messages(registry, channels, answer)] == sessions[28:32]
    assert channels.find(answer["o2r"]["channel_name"]).next_seq == 32


async def test_a_signal_channel_that_somebody_deleted_stays_away(registry, register, channels):
    answer = register(capacity=2)
    channels.delete(answer["o2r"]["channel_name"])
    registry.reserve("runner-1")
    registry.write_messages()
    registry.reserve("runner-1")
    registry.write_messages()
    registry.keep_alive()
    assert list(channels) == []


def test_static_runners_are_shown_while_they_are_healthy(registry):
    registered = registry.register_static([static(), static("other", is_healthy=False)])
    assert registered[0] == {
        "runner_id": registered[0]["runner_id"],
        "label": "first",
        "app": "live-video-to-video/scope",
        "runner_url": "http://runner.example.com",
        "mode": "persistent",
        "health_url": "http://runner.example.com/health",
        "healthy_status_code": 200,
        "healthy": True,
    }
    assert re.fullmatch(r"runner_[a-z2-7]{8}", registered[0]["runner_id"])
    assert [one["url"] for one in registry.discovered()] == [f"{PUBLIC}/apps/{registered[0]['runner_id']}/session"]
    with refused(404, "runner not found"):
        registry.reserve(registered[1]["runner_id"])


def test_a_single_shot_runner_is_shown_with_its_app(registry, register):
    register(mode="single-shot")
    assert registry.discovered()[0]["url"] == f"{PUBLIC}/apps/runner-1/app"
    assert registry.reserve("runner-1").app_url == "https://runner.example.com"
