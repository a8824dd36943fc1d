"""``byoc-kit`` as the panel's child: it can be interrupted, and it does not outlive the kernel.

An idle ipykernel ignores SIGINT and its children would inherit that, so that none could be cancelled as Ctrl-C does;
and a kernel that is killed runs no cleanup of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from byoc_kit.orphans import end_with_parent

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run a command of ``byoc-kit``; the first argument is the process id of the parent that it ends with."""
    parent, *command = arguments
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        end_with_parent(signal.SIGINT)
        if os.getppid() != int(parent):  # it ended before it could be watched
            return _INTERRUPTED
        from byoc_kit.cli import main as run

        return run(command)
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
