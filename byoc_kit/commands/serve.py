"""``byoc-kit serve``: serve a bundle as its container will."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from byoc_kit.commands.arguments import BUNDLE, GPUS, Commands, add_address


def serve(bundle: Path | str, *, host: str = "127.0.0.1", port: int = 8000) -> int:
    """Serve a bundle until SIGTERM or SIGINT, and then send the rest of running streams.

    Parameters
    ----------
    bundle : Path or str
        What ``export`` has written.
    host : str, optional
        The address to listen on, IPv4, IPv6 or a host's name.
    port : int, optional
        The TCP port; 0 takes a free one, which the log names.

    Returns
    -------
    int
        0, after a clean end.

    Raises
    ------
    ByocKitError
        If there is no bundle, the address cannot be used, or an environment variable does not fit.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.serve("export/green_tint", port=8000)  # doctest: +SKIP
    0
    """
    from byoc_kit.core.bundle_reader import read_bundle
    from byoc_kit.server.serve import serve as run

    return run(read_bundle(bundle), host=host, port=port)


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("serve", help="serve a bundle as its container will")
    parser.set_defaults(run=_run)
    parser.add_argument("bundle", type=Path, help=BUNDLE)
    add_address(parser, port=8000)
    parser.add_argument("--image", nargs="?", const="", metavar="NAME", help="run the built image, or the image NAME")
    parser.add_argument("--gpus", metavar="GPUS", help=GPUS)


def _run(options: argparse.Namespace) -> int:
    # Without a handler, PID 1 of a container ignores SIGTERM; the server installs its own later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.image is None:
        return serve(options.bundle, host=options.host, port=options.port)
    from byoc_kit.bundle.announce import image_name
    from byoc_kit.core.bundle_reader import read_bundle
    from byoc_kit.image.container import run_image

    image = options.image or image_name(read_bundle(options.bundle).capability)
    run_image(image, host=options.host, port=options.port, gpus=options.gpus)
    return 0
