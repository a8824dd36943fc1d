"""``byoc-kit`` as the panel's child: it can be interrupted, and it does not outlive the kernel.

An idle ipykernel ignores SIGINT. Its children would inherit that, so they could not be cancelled as with Ctrl-C. And a
kernel that is killed runs no cleanup of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from byoc_kit.system.processes import end_with_parent

_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Become a command of ``byoc-kit``. The first argument is the process id of its parent, with which it ends.

    Returns only if that parent is gone.
    """
    parent, *command = arguments
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(signal.SIGINT)  # this also holds after execv, see prctl(2)
    if os.getppid() != int(parent):  # the parent ended before this could watch it
        return _INTERRUPTED
    os.execv(sys.executable, [sys.executable, "-P", "-m", "byoc_kit", *command])  # noqa: S606  # runs without a shell
    raise AssertionError  # execv does not return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
