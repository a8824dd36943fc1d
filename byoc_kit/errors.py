"""The errors that byoc-kit raises on purpose."""


class ByocKitError(Exception):
    """Something a person can mend; the text says what is wrong, where, and what to do next."""
