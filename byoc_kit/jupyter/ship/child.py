"""``byoc-kit`` as the panel's child: it can be interrupted, and it does not outlive the kernel.

An idle ipykernel ignores SIGINT and its children would inherit that, so that none could be cancelled as Ctrl-C does;
and a kernel that is killed runs no cleanup of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from byoc_kit.system.processes import end_with_parent

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Become a command of ``byoc-kit``; the first argument is the process id of the parent that it ends with.

    Returns only where that parent is gone.
    """
    parent, *command = arguments
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(signal.SIGINT)  # which holds for what this process becomes, prctl(2)
    if os.getppid() != int(parent):  # it ended before it could be watched
        return _INTERRUPTED
    os.execv(sys.executable, [sys.executable, "-P", "-m", "byoc_kit", *command])  # noqa: S606  # no shell is wanted
    raise AssertionError  # execv does not return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
