"""The rules for what containers send. Many cases are those of go-livepeer's ``ai/runner/live_runner_test.go``."""

import pytest
from runner_rig import PUBLIC, beat, refused

from byoc_kit.network.runner_records import go_duration


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"runner_url": "bad url"}, "invalid runner_url"),
        ({"runner_url": ""}, "invalid runner_url"),
        ({"app": ""}, "app must be trimmed"),
        ({"app": " a"}, "app must be trimmed"),
        ({"metadata": "a" * 1025}, "metadata must be at most 1024 bytes"),
        ({"metadata": "é" * 513}, "metadata must be at most 1024 bytes"),
        ({"metadata": "\ufffd"}, "metadata must not contain Unicode replacement character U+FFFD"),
        ({"status": "Ready"}, "status must be lowercase and trimmed"),
        ({"status": " ready"}, "status must be lowercase and trimmed"),
        ({"mode": "invalid"}, 'mode must be "persistent" or "single-shot"'),
        ({"capacity": -1}, "capacity must be >= 0"),
    ],
)
def test_the_rules_of_a_body_come_before_every_secret(registry, fields, message):
    with refused(400, message):
        registry.heartbeat(beat(**fields), "wrong")


@pytest.mark.parametrize("metadata", ["", "région=eu", "a" * 1024, "é" * 512])
def test_metadata_of_1024_bytes_is_taken_and_shown(registry, register, metadata):
    register(metadata=metadata)
    assert registry.discovered()[0].get("metadata", "") == metadata


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("", "persistent"),
        ("persistent", "persistent"),
        ("single-shot", "single-shot"),
        ("single_shot", "single-shot"),
    ],
)
def test_the_modes_and_their_alias(registry, register, mode, shown):
    register(mode=mode)
    assert registry.mode("runner-1") == shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "trickle channel name is required"),
        (" ", "trickle channel name is required"),
        ("bad.name", "trickle channel name may only contain alphanumerics, underscores, or hyphens"),
        ("é", "trickle channel name may only contain alphanumerics, underscores, or hyphens"),
    ],
)
def test_a_channels_name_is_checked(registry, register, name, message):
    register()
    session = registry.reserve("runner-1").session_id
    for ask in (
        lambda: registry.create_channel("runner-1", session, name, ""),
        lambda: registry.delete_channel("runner-1", session, name),
    ):
        with refused(400, message):
            ask()


def test_a_container_may_have_other_ports_of_its_host_proxied(registry, register):
    register()
    session = registry.reserve("runner-1").session_id
    own = registry.create_proxy("runner-1", session, " ")
    other = registry.create_proxy("runner-1", session, "http://RUNNER.example.com:9000/ui#top")
    assert own["url"] == f"{PUBLIC}/run/{own['proxy_id']}"
    assert registry.find_proxy("public.example.com", f"/run/{own['proxy_id']}").url == "https://runner.example.com"
    target = registry.find_proxy("public.example.com", f"/run/{other['proxy_id']}")
    assert target.url == "http://RUNNER.example.com:9000/ui%23top"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("https://other.example.com/app", "target_url hostname must match registered runner_url hostname"),
        ("ftp://runner.example.com/app", "target_url scheme must be http or https"),
        ("/app", "target_url must be an absolute URL"),
        ("runner.example.com", "target_url must be an absolute URL"),
    ],
)
def test_another_host_or_no_url_is_not_proxied(registry, register, target, message):
    register()
    session = registry.reserve("runner-1").session_id
    with refused(400, message):
        registry.create_proxy("runner-1", session, target)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (20.0, "20s"), (60, "1m0s"), (0.5, "500ms"), (3661, "1h1m1s"), (1.5, "1.5s")]
)
def test_durations_are_go_s(seconds, text):
    assert go_duration(seconds) == text
