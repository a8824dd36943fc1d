"""``byoc-kit register``: register a container that already runs."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from byoc_kit.commands.arguments import BUNDLE, Commands
from byoc_kit.errors import ByocKitError

if TYPE_CHECKING:
    from byoc_kit.registration.plan import Plan

_EPILOG = """\
The orchestrator's secret comes from BYOC_KIT_ORCHESTRATOR_SECRET, or from the file that
BYOC_KIT_ORCHESTRATOR_SECRET_FILE names. Each option may be a setting as well: BYOC_KIT_REGISTER_AS,
BYOC_KIT_ORCHESTRATOR_URL, BYOC_KIT_RUNNER_URL, BYOC_KIT_RUNNER_ID, BYOC_KIT_RUNNER_MODE."""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "register",
        help="register a container that already runs, until Ctrl-C",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)
    parser.add_argument("--as", dest="register_as", choices=["live-runner", "byoc"], help="by which contract")
    parser.add_argument("--orchestrator", dest="orchestrator_url", metavar="URL", help="the orchestrator's address")
    parser.add_argument(
        "--runner-url", metavar="URL", help="where the orchestrator, and this command, reach the container"
    )
    parser.add_argument("--runner-id", metavar="ID", help="a Live Runner's id (default: the orchestrator makes one)")
    mode = "what a Live Runner's sessions are (default: persistent)"
    parser.add_argument("--mode", dest="runner_mode", choices=["persistent", "single-shot"], help=mode)


def _run(options: argparse.Namespace) -> None:
    from byoc_kit.core.bundle_reader import read_bundle
    from byoc_kit.server.logs import set_up_logging
    from byoc_kit.server.settings import PREFIX, ServerSettings

    names = ("register_as", "orchestrator_url", "runner_url", "runner_id", "runner_mode")
    given = {f"{PREFIX}{name.upper()}": value for name in names if (value := getattr(options, name)) is not None}
    settings = ServerSettings.from_environment({**os.environ, **given})
    plan = settings.registration_plan(read_bundle(options.bundle))
    if plan is None:
        msg = "it is not said how to register; give --as live-runner or --as byoc"
        raise ByocKitError(msg)
    set_up_logging()
    asyncio.run(_register(plan))


async def _register(plan: Plan) -> None:
    """Register the container once it is ready, until a signal comes."""
    from byoc_kit.registration.container import Container
    from byoc_kit.registration.registration import Registration
    from byoc_kit.system.concurrency import set_at_signal, until_either

    stopped, container = set_at_signal(), Container(plan.runner_url, token=plan.token)
    await until_either(container.until_ready(), stopped.wait())
    if stopped.is_set():
        return
    registration = Registration(plan)
    registration.start(container)
    await stopped.wait()
    await registration.leave()
