from notebook_rig import make, make_sound

__all__ = ["make", "make_sound"]
