from notebook_rig import make, make_sound, write_notebook

__all__ = ["make", "make_sound", "write_notebook"]
