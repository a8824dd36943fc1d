from server_rig import chunks, rig

__all__ = ["chunks", "rig"]
