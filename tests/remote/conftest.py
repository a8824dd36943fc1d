from remote_rig import cache, hub, server

__all__ = ["cache", "hub", "server"]
