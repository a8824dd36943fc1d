import logging

import pytest

from byoc_kit.errors import ByocKitError
from byoc_kit.jupyter.preview.clip_feed import ClipFeed
from byoc_kit.jupyter.preview.feed import as_given, why_it_broke_off
from byoc_kit.sources.open_source import open_source


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("synthetic:bars", "synthetic:bars"),
        ("clips/street.mp4", "clips/street.mp4"),
        ("https://me:secret@example.com/live.ts?token=secret", "https://example.com/live.ts"),
    ],
)
def test_a_source_is_shown_as_it_was_given_without_its_secrets(source, shown):
    feed = ClipFeed(open_source("synthetic:bars"))
    feed.source = source
    assert as_given(feed) == shown


def test_a_source_that_is_an_object_is_shown_by_its_name():
    assert as_given(ClipFeed(open_source("synthetic:ball"))) == "ball"


def test_an_error_of_the_kit_is_said_as_it_is_and_any_other_is_logged(caplog):
    caplog.set_level(logging.ERROR)
    assert why_it_broke_off("clip", ByocKitError("the file is gone")) == "the file is gone"
    assert not caplog.records
    said = why_it_broke_off("clip", KeyError("x"))
    assert said == "clip broke off: KeyError: 'x'; choose it again, or another source"
    assert caplog.records[0].exc_info[0] is KeyError
