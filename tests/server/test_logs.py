import logging

import pytest

from byoc_kit.server.logs import PlainFormatter


def written(message, *values, error=None):
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("kit", logging.INFO, __file__, 1, message, values, exc_info)
    return PlainFormatter("%(levelname)s %(message)s").format(record)


def test_a_plain_line_is_left_as_it_is():
    assert written("stream %s ends: %s", "größe-日本", "HTTP 503") == "INFO stream größe-日本 ends: HTTP 503"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n2026-11-29 00:00:00,000 INFO FAKED", "a\n  2026-11-29 00:00:00,000 INFO FAKED"),
        ("a\r\nb", "a\\r\n  b"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("right\u202eleft", "right\\u202eleft"),
        ("next\x85line\u2028end", "next\\x85line\\u2028end"),
        ("\udcff", "\\udcff"),
    ],
)
def test_no_value_begins_a_record_or_commands_a_terminal(text, shown):
    assert written("%s", text) == f"INFO {shown}"


def int_of(text):
    raise ValueError(text)


def test_a_traceback_is_indented_and_what_it_says_is_plain():
    with pytest.raises(ValueError, match="FAKED") as raised:
        int_of("x\n2026-11-29 00:00:00,000 INFO FAKED \x1b[31m")
    text = written("failed", error=raised.value)
    first, *rest = text.split("\n")
    assert first == "INFO failed"
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert rest[-1] == "  2026-11-29 00:00:00,000 INFO FAKED \\x1b[31m"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://me:se@cret@host:8935/in: HTTP 503", "http://host:8935/in: HTTP 503"),
        ("from rtsp://key@camera/a, to http://host/b", "from rtsp://camera/a, to http://host/b"),
        ("http://host/a mail@example.org", "http://host/a mail@example.org"),
    ],
)
def test_users_and_passwords_of_urls_are_left_out(text, shown):
    assert written("%s", text) == f"INFO {shown}"


def test_a_record_of_megabytes_is_cut_and_says_so():
    text = written("failed: %s", "x" * 5_000_000)
    assert text.startswith("INFO failed: xxx")
    assert text.endswith("x... (5000013 characters)")
    assert len(text) < 21_000
