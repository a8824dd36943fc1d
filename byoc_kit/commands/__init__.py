"""The commands of ``byoc-kit``, one module each."""
