"""``byoc-kit verify``: compare notebook, module, server and container over a clip."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byoc_kit.commands.arguments import BUNDLE, GPUS, Commands, http_url, number
from byoc_kit.errors import ByocKitError

if TYPE_CHECKING:
    from byoc_kit.verification.result import Result


def verify(
    bundle: Path | str,
    *,
    clip: Path | str | None = None,
    params: Mapping[str, Any] | None = None,
    image: str | None = None,
    url: str | None = None,
    gpus: str | None = None,
    with_notebook: bool = True,
    with_server: bool = True,
    min_frames: float | None = None,
    min_psnr_db: float = 30.0,
    max_diff: int = 0,
    timeout_s: float = 300.0,
    report: Path | str | None = None,
) -> Result:
    """Run a clip through the notebook, the module, the server and a container, and compare the results.

    Parameters
    ----------
    bundle : Path or str
        What ``export`` has written.
    clip : Path or str, optional
        A video file; by default the first in ``clips/`` beside the notebook.
    params : mapping, optional
        Parameters of the model; one that is not given has its default.
    image : str, optional
        The name of an image to start and to stream through; ``""`` is the bundle's own.
    url : str, optional
        The URL of a container that runs already.
    gpus : str, optional
        The GPUs that the image gets, as ``docker run --gpus`` takes them.
    with_notebook : bool, optional
        Whether to run the notebook. Not every machine can.
    with_server : bool, optional
        Whether to serve the bundle here, and to stream through that server.
    min_frames : float, optional
        Part of the frames that must come back, 0 to 1; by default 0.94 of those that ``process_frame`` has time for.
    min_psnr_db : float, optional
        Mean PSNR in dB that must be met.
    max_diff : int, optional
        How far the module's pixels may differ from the notebook's, of 255.
    timeout_s : float, optional
        Seconds that the notebook, and then the module, may take.
    report : Path or str, optional
        The report's folder; by default ``reports/NAME`` beside ``export/``.

    Returns
    -------
    Result
        ``is_met`` says whether all checks are met, ``checks()`` has them one by one, ``report`` is the page.

    Raises
    ------
    ByocKitError
        If there is nothing to verify: no bundle, clip, engine or image, or parameters that do not fit.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.verify("export/green_tint", with_server=False).is_met
    True
    """
    from byoc_kit.verification.result import Limits
    from byoc_kit.verification.run import Request
    from byoc_kit.verification.run import verify as run
    from byoc_kit.verification.target import Where

    ways = [Where()] if with_server else []
    container = Where(image=image, url=url, gpus=gpus)
    if not container.is_here:
        ways.append(container)
    request = Request(
        bundle=Path(bundle),
        ways=ways,
        clip=Path(clip) if clip is not None else None,
        params=dict(params or {}),
        report=Path(report) if report is not None else None,
        limits=Limits(min_frames, min_psnr_db, max_diff),
        with_notebook=with_notebook,
        timeout_s=timeout_s,
    )
    return run(request)


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("verify", help="compare notebook, module, server and container over a clip")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)
    parser.add_argument("--clip", type=Path, help="a video file (default: the first in clips/ beside the notebook)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--image", nargs="?", const="", metavar="NAME", help="the built image too, or the image NAME")
    where.add_argument("--url", type=http_url, help="a container that runs already, too")
    parser.add_argument("--gpus", metavar="GPUS", help=GPUS)
    parser.add_argument("--report", type=Path, help="the report's folder (default: reports/NAME beside export/)")
    parser.add_argument(
        "--min-frames",
        type=number(float, 0, 1),
        help="part of the frames that must come back (default: 0.94 of those that process_frame has the time for)",
    )
    parser.add_argument(
        "--min-psnr",
        type=number(float, 0, 100),
        default=30.0,
        help="mean PSNR in dB that must be met (default: %(default)s)",
    )
    parser.add_argument(
        "--max-diff",
        type=number(int, 0, 255),
        default=0,
        help="how far the module may differ from the notebook, of 255 (default: %(default)s)",
    )
    parser.add_argument("--skip-notebook", action="store_true", help="for a notebook that cannot run here")
    parser.add_argument(
        "--skip-server", action="store_true", help="do not serve the bundle here, as on a machine without its GPU"
    )
    parser.add_argument(
        "--timeout",
        type=number(float, 1, 86_400),
        default=300.0,
        help="seconds that the notebook may take (default: %(default)g)",
    )
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the model; may be repeated"
    )


def _run(options: argparse.Namespace) -> int:
    from byoc_kit.verification.report import print_table

    result = verify(
        options.bundle,
        clip=options.clip,
        params=dict(map(_parameter, options.param)),
        image=options.image,
        url=options.url,
        gpus=options.gpus,
        with_notebook=not options.skip_notebook,
        with_server=not options.skip_server,
        min_frames=options.min_frames,
        min_psnr_db=options.min_psnr,
        max_diff=options.max_diff,
        timeout_s=options.timeout,
        report=options.report,
    )
    print_table(result)
    print(f"report: {result.report}")
    return 0 if result.is_met else 1


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        msg = f"--param {text} does not have the form NAME=VALUE"
        raise ByocKitError(msg)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
