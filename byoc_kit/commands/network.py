"""``byoc-kit network``: run a local trickle server and orchestrator."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import Commands, add_address, http_url
from byoc_kit.errors import ByocKitError

if TYPE_CHECKING:
    from byoc_kit.network.local_network import LocalNetwork


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "network", help="run a local trickle server and orchestrator; it advertises what `serve` serves"
    )
    parser.set_defaults(run=_run)
    parser.add_argument("declared", nargs="*", type=Path, help="aiModels.json, runners.json, or a bundle")
    add_address(parser, port=8935)
    parser.add_argument("--secret", default="", help="let containers register themselves with it")
    public = "the base URL in answers to clients (default: the address)"
    parser.add_argument("--public-url", type=http_url, help=public)
    internal = "the base URL in answers to Live Runners (default: that for clients)"
    parser.add_argument("--runner-url-base", type=http_url, help=internal)
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a self-signed certificate")


def _run(options: argparse.Namespace) -> None:
    if not options.declared and not options.secret:
        msg = "nothing is declared; give aiModels.json, runners.json or a bundle, or a --secret"
        raise ByocKitError(msg)
    asyncio.run(_serve_until_signal(options))


async def _serve_until_signal(options: argparse.Namespace) -> None:
    from byoc_kit.network.local_network import local_network
    from byoc_kit.system.concurrency import set_at_signal

    stopped = set_at_signal()
    async with local_network(
        *options.declared,
        secret=options.secret,
        host=options.host,
        port=options.port,
        public_url=options.public_url or "",
        runner_url_base=options.runner_url_base or "",
        tls=options.tls,
    ) as network:
        print("\n".join(_how_to_use(network, curl="curl -k" if options.tls else "curl")), flush=True)
        await stopped.wait()


def _how_to_use(network: LocalNetwork, *, curl: str) -> Iterator[str]:
    """Yield the lines that say what can be done with it."""
    begin = f"orchestrator at {network.url}; Ctrl-C ends it."
    if model_ids := list(network.orchestrator.models):
        yield f"{begin} Start a stream with:"
        body = json.dumps({"model_id": model_ids[0]})
        yield f"  {curl} {network.start_url} -H content-type:application/json -d '{body}'"
    else:
        yield begin
    for runner in network.live_runners.registry:
        state = "is healthy" if runner.record.is_ready else "does not answer its health check yet"
        yield f"{runner.record.label} {state}. Reserve a session with:"
        yield f"  {curl} -X POST {network.session_urls[runner.record.label]}"
    if network.live_runners.settings.secret:
        yield f"Containers register at {network.heartbeat_url}."
