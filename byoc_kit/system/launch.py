"""Becomes a command that can be interrupted and that ends with its parent. It runs by its path, without byoc-kit.

    python launch.py PARENT SIGNAL COMMAND...

The kernel sends SIGNAL when the parent ends, or the parent's thread that started the command: a parent that is killed
runs no cleanup of its own. An idle ipykernel ignores SIGINT. Its children would inherit that, so they could not be
cancelled as with Ctrl-C.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_INTERRUPTED = 130
_CANNOT_START = 127


def main(arguments: Sequence[str]) -> int:
    """Become the command. Returns only if that fails, or if the parent is gone."""
    parent, number, *command = arguments
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))  # this also holds after exec, see prctl(2)
    if os.getppid() != int(parent):  # the parent ended before this could watch it
        return _INTERRUPTED
    try:
        os.execvp(command[0], command)  # noqa: S606  # runs without a shell
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
    return _CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
