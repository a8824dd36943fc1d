from server_rig import clip, rig

__all__ = ["clip", "rig"]
