"""``byoc-kit export``: write the bundle of a notebook."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byoc_kit.commands.arguments import NOTEBOOK, Commands, add_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from byoc_kit.bundle.plan import Plan
    from byoc_kit.core.bundle_reader import Bundle

_MOST_NAMED = 3
_DEVICES = ["installed", "cpu", "cu126", "cu128", "cu130"]


def export(
    notebook: Path | str,
    target: Path | str | None = None,
    *,
    device: str | None = None,
    hashes: bool | None = None,
    force: bool = False,
    wheelhouse: bool = False,
    managed: bool | None = None,
    bake_weights: bool | None = None,
) -> Bundle:
    """Write the bundle of a notebook: its module, the lock of its requirements, its Dockerfile, what announces it.

    Parameters
    ----------
    notebook : Path or str
        An ``.ipynb`` with cells tagged ``byoc``.
    target : Path or str, optional
        The bundle's folder; by default ``export/NAME``, beside other bundles above the notebook, else here.
    device : str, optional
        What torch is built for in the image: ``installed``, ``cpu``, ``cu126``, ``cu128`` or ``cu130``. By default as
        the bundle was, else as installed here.
    hashes : bool, optional
        Whether the lock has the hashes of the wheels; by default as the bundle was, else yes.
    force : bool, optional
        Overwrite edits that were made in the bundle since it was exported.
    wheelhouse : bool, optional
        Collect every wheel, for a build without network.
    managed : bool, optional
        Whether an orchestrator's ai-worker starts the container; by default as the bundle was, else no.
    bake_weights : bool, optional
        Whether the image gets the files of assets at URLs and on the hub; by default as the bundle was, else if they
        are less than 200 MB.

    Returns
    -------
    Bundle
        The bundle as ``serve`` and ``verify`` take it.

    Raises
    ------
    ByocKitError
        If a finding is an error, the bundle was edited, or its files cannot be written. Nothing is written then.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.export("notebooks/green_tint.ipynb").model_id
    'green-tint'
    """
    from byoc_kit.core.bundle_reader import read_bundle

    output = Path(target) if target is not None else None
    plan = _plan(Path(notebook), output, device=device, with_hashes=hashes, managed=managed, bake_weights=bake_weights)
    _write(plan, force=force, wheelhouse=wheelhouse)
    return read_bundle(plan.target)


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("export", help="write the bundle of a notebook")
    parser.set_defaults(run=_run)
    parser.add_argument("notebook", type=Path, help=NOTEBOOK)
    add_output(parser)
    parser.add_argument("--check", action="store_true", help="write nothing; show how the bundle differs")
    parser.add_argument(
        "--force", action="store_true", help="overwrite edits that were made in the bundle since the export"
    )
    parser.add_argument("--wheelhouse", action="store_true", help="collect every wheel: a build without network")
    parser.add_argument(
        "--hashes",
        action=argparse.BooleanOptionalAction,
        help="lock with hashes, or without, where pip has no index (default: as the bundle was, else with)",
    )
    parser.add_argument(
        "--device",
        choices=_DEVICES,
        help="what torch is built for in the image (default: as the bundle was, else as installed here)",
    )
    parser.add_argument(
        "--managed",
        action=argparse.BooleanOptionalAction,
        help="announce a container that go-livepeer's ai-worker starts itself (default: as the bundle was, else not)",
    )
    parser.add_argument(
        "--bake-weights",
        action=argparse.BooleanOptionalAction,
        help="put the files of assets at URLs and on the hub into the image (default: as it was, else below 200 MB)",
    )


def _run(options: argparse.Namespace) -> int:
    plan = _plan(
        options.notebook,
        options.output,
        device=options.device,
        with_hashes=options.hashes,
        managed=options.managed,
        bake_weights=options.bake_weights,
    )
    for finding in plan.findings:
        print(finding, file=sys.stderr)
    if options.check:
        from byoc_kit.bundle.drift import compare

        difference = compare(plan)
        sys.stdout.write(difference.diff or f"{plan.target} is as the notebook says\n")
        return int(bool(difference))
    if options.wheelhouse:
        print("collecting wheels ...", file=sys.stderr)
    _write(plan, force=options.force, wheelhouse=options.wheelhouse)
    written = ", ".join([*plan.files, *_copied(plan)])
    print(f"wrote {plan.target}: {written}; next: byoc-kit verify {shlex.quote(str(plan.target))}")
    return 0


def _copied(plan: Plan) -> Iterator[str]:
    """Yield a phrase for the bundle's assets and one for its wheels: how many, and their names if they are few."""
    from byoc_kit.bundle.lock import WHEELS
    from byoc_kit.errors import shown

    wheels = [path.name for path in (plan.target / WHEELS).glob("*.whl")]
    files = (
        ("asset", [path.name for path in plan.assets.values()]),
        ("weights file", list(plan.weights)),
        ("wheel", wheels),
    )
    for kind, names in files:
        if names:
            which = f" ({', '.join(map(shown, sorted(names)))})" if len(names) <= _MOST_NAMED else ""
            yield f"{len(names)} {kind}{'s' if len(names) > 1 else ''}{which}"


def _plan(notebook: Path, output: Path | None, **options: Any) -> Plan:
    from byoc_kit.bundle.folders import target_of
    from byoc_kit.bundle.plan import plan_again
    from byoc_kit.notebook.analysis import Analysis
    from byoc_kit.notebook.notebook_file import read_notebook

    target = target_of(notebook, output)
    analysis = Analysis(read_notebook(notebook))
    return plan_again(analysis, target, **options)


def _write(plan: Plan, *, force: bool, wheelhouse: bool) -> None:
    from byoc_kit.bundle.plan import write
    from byoc_kit.bundle.wheels import collect_wheelhouse, put_kit_wheel

    write(plan, force=force)
    put_kit_wheel(plan.target)
    if wheelhouse:
        collect_wheelhouse(plan.target)
