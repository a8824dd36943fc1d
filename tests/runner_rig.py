"""What tests of the Live Runner orchestrator share."""

from byoc_kit.network.runner_records import StaticEntry, check_entries

SECRET = "orchestrator-secret"  # noqa: S105 - not a real one


class Clock:
    """A clock that stands still until it is told that time passes."""

    def __init__(self):
        self.s = 0.0

    def __call__(self):
        return self.s

    def pass_(self, seconds):
        self.s += seconds


def static(label="first", *, is_healthy=True, **fields):
    """A checked entry of runners.json, with whether its runner is healthy."""
    url = fields.pop("runner_url", "http://runner.example.com")
    given = {"label": label, "runner_url": url, "health_url": "/health", "app": "live-video-to-video/scope", **fields}
    [entry] = check_entries((StaticEntry(**given),))
    return entry, is_healthy
