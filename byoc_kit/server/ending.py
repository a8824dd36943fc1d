"""How long each part of the container's end may take, from SIGTERM on.

go-livepeer kills a container 8 s after it has asked it to stop. But when it exits itself it waits only 5 s, for all its
containers together (``cleanupTimeout`` in its ``starter.go``), so all of this fits into that.
"""

GRACE_S = 5.0

STREAM_END_S = 3.2
"""A stream's end: its last frames, its hook and what it has yet to send. A picture's is no longer."""

DRAIN_S = 2.4
"""Of that, what its last frames get to come through; readers then have half a second for the last segment."""

LET_GO_S = 0.6
"""Of that, what threads get that were let go: they end in half a second, but for one that hangs."""

LAST_EVENT_S = 0.4
"""A stream's last event, once it has ended."""

RELEASE_S = 0.25
"""The release of a Live Runner's session, once its stream has ended."""

LEFT_BY_S = 4.05
"""When the container has unregistered, from the beginning of the end on; who is not told finds out by itself."""

SHUTDOWN_S = 0.2
"""What open requests get at the very end to finish, and again to be cancelled."""
