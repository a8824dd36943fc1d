"""Runs the local network inside a program, with the models and Live Runners that files declare."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from byoc_kit.bundle.announce import AI_MODELS, RUNNERS
from byoc_kit.network.live_runners import LiveRunners, RunnerSettings
from byoc_kit.network.models import ModelEntry, read_models
from byoc_kit.network.orchestrator import Orchestrator
from byoc_kit.network.routes import serve_orchestrator
from byoc_kit.network.runner_file import StaticEntry, check_entries, read_runners
from byoc_kit.network.runner_urls import joined
from byoc_kit.network.serving import self_signed
from byoc_kit.trickle.server import BASE_PATH


@dataclass(frozen=True)
class LocalNetwork:
    """A running local network: its base URL, and the orchestrators of BYOC and of Live Runners behind it."""

    url: str
    orchestrator: Orchestrator
    live_runners: LiveRunners

    @property
    def start_url(self) -> str:
        """Where a client starts a BYOC stream."""
        return joined(self.url, "stream", "start")

    @property
    def trickle_url(self) -> str:
        """Under which URL the trickle channels are."""
        return self.url + BASE_PATH

    @property
    def discovery_url(self) -> str:
        """Where clients find the Live Runners that are ready."""
        return joined(self.live_runners.registry.urls.public, "discovery")

    @property
    def register_url(self) -> str:
        """Where containers register as BYOC capabilities, with the secret."""
        return joined(self.url, "capability", "register")

    @property
    def heartbeat_url(self) -> str:
        """Where containers register as Live Runners, with the secret."""
        return joined(self.live_runners.registry.urls.internal, "runners", "heartbeat")

    @property
    def session_urls(self) -> dict[str, str]:
        """Where a client reserves a session of each declared Live Runner, by label."""
        registry = self.live_runners.registry
        return {
            runner.static.label: joined(registry.urls.public, "apps", runner.route, "session")
            for runner in registry
            if runner.static is not None
        }


@asynccontextmanager
async def local_network(
    *declared: Path | str,
    secret: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    public_url: str = "",
    runner_url_base: str = "",
    tls: bool = False,
) -> AsyncIterator[LocalNetwork]:
    """Run a trickle server and orchestrators, of BYOC and of Live Runners, inside the running event loop.

    It is there during the ``async with``, and ends with its streams. Use it to test a container or a client. It takes
    no payment, and trusts whoever can reach it, so it is not an orchestrator for the Livepeer network.

    Parameters
    ----------
    *declared : Path or str
        An ``aiModels.json``, a ``runners.json``, or a bundle, which has both.
    secret : str, optional
        The secret with which containers register themselves. Without one, none can register as a Live Runner, and any
        can as a BYOC capability.
    host : str, optional
        The address to listen on, IPv4, IPv6 or a host's name.
    port : int, optional
        The TCP port; 0 takes a free one.
    public_url : str, optional
        The base URL in answers to clients. By default it is where the network is served.
    runner_url_base : str, optional
        The base URL in answers to Live Runners. By default it is ``public_url``.
    tls : bool, optional
        Serve HTTPS with a self-signed certificate. This needs the ``openssl`` command.

    Yields
    ------
    LocalNetwork
        Its ``url``, ``start_url``, ``trickle_url``, ``discovery_url``, ``register_url``, ``heartbeat_url`` and
        ``session_urls``. Its ``live_runners.faults`` has switches for what an orchestrator can do wrong.

    Raises
    ------
    ByocKitError
        If a file cannot be read or declares something wrong, or it cannot listen there.

    Examples
    --------
    >>> import asyncio
    >>> import byoc_kit
    >>> async def main():
    ...     async with byoc_kit.local_network("export/green_tint", secret="a secret") as network:
    ...         print(network.heartbeat_url.removeprefix(network.url))
    >>> asyncio.run(main())
    /runners/heartbeat
    """
    models, entries = _read([Path(one) for one in declared])
    orchestrator = Orchestrator(models, secret=secret)
    live_runners = LiveRunners(entries, RunnerSettings(public_url, runner_url_base, secret=secret))
    with ExitStack() as stack:
        certificate = stack.enter_context(self_signed(host)) if tls else None
        async with serve_orchestrator(
            orchestrator, host, port, live_runners=live_runners, certificate=certificate
        ) as url:
            yield LocalNetwork(url, orchestrator, live_runners)


def _read(declared: list[Path]) -> tuple[list[ModelEntry], list[StaticEntry]]:
    files = [file for path in declared for file in _files_of(path)]
    runner_files = [file for file in files if _declares_runners(file)]
    models = [model for file in files if file not in runner_files for model in read_models(file)]
    return models, check_entries(tuple(entry for file in runner_files for entry in read_runners(file)))


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    runners = path / RUNNERS  # bundles of older versions have none
    return [path / AI_MODELS, *([runners] if runners.exists() else [])]


def _declares_runners(path: Path) -> bool:
    if path.name == RUNNERS:
        return True
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False  # read_models says what is wrong with it
    return isinstance(document, dict) and "runners" in document
