"""Where clients and containers find what the Live Runner orchestrator has for them."""

from dataclasses import dataclass
from urllib.parse import quote

from byoc_kit.network.proxy_urls import ProxyTemplate
from byoc_kit.trickle.server import BASE_PATH


@dataclass(frozen=True)
class RunnerUrls:
    """Where clients reach the orchestrator, where containers do, and where its generated proxies are."""

    public: str
    internal: str
    proxies: ProxyTemplate

    def session(self, route: str, session_id: str) -> str:
        """Return the URL with which a client controls its session."""
        return joined(self.public, "apps", route, "session", session_id)

    def callbacks(self, route: str, session_id: str) -> str:
        """Return the URL with which a container controls a session."""
        return joined(self.internal, "runner", route, "session", session_id)


def joined(base: str, *segments: str) -> str:
    """Return a URL with path segments behind it, escaped as Go's ``URL.JoinPath`` does."""
    return "/".join([base.rstrip("/"), *(quote(one, safe="$&+,/:;=@-_.~!'()*") for one in segments)])


def trickle_url(base: str, channel_name: str) -> str:
    """Return the URL of a channel."""
    return joined(base, BASE_PATH.strip("/"), channel_name)
