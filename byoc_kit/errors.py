"""The errors that byoc-kit raises on purpose."""


class ByocKitError(Exception):
    """Something a person can mend; the text says what is wrong, where, and what to do next."""


def text_of(error: BaseException) -> str:
    """Return what an exception says; one whose text cannot be had says so."""
    try:
        return str(error)
    except Exception as worse:  # noqa: BLE001  # somebody's own exception class
        return f"(its text raises {type(worse).__name__})"
