import math

import pytest

from byoc_kit import publish
from byoc_kit.data import MAX_LINE, DataError, encode_line, publishing_to


def test_a_message_is_one_line_of_json():
    assert encode_line({"faces": [{"x": 1, "text": "a\nb"}]}) == b'{"faces":[{"x":1,"text":"a\\nb"}]}\n'


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ([1], "takes a dict, not list"),
        ("text", "takes a dict, not str"),
        ({"x": object()}, "only what JSON can say"),
        ({"x": math.nan}, "only what JSON can say"),
        ({(1, 2): 3}, "only what JSON can say"),
        ({"x": "a" * MAX_LINE}, "less than 64 KiB a message, not 65544 bytes"),
    ],
)
def test_what_the_channel_cannot_carry_is_refused_in_a_sentence(message, text):
    with pytest.raises(DataError, match=text):
        publish(message)


def test_the_largest_line_goes_through():
    assert len(encode_line({"x": "a" * (MAX_LINE - 9)})) == MAX_LINE


def test_without_a_stream_a_message_goes_nowhere():
    publish({"x": 1})


def test_the_innermost_receiver_gets_the_lines():
    outer, inner = [], []
    with publishing_to(outer.append):
        publish({"n": 1})
        with publishing_to(inner.append):
            publish({"n": 2})
        publish({"n": 3})
    publish({"n": 4})
    assert (outer, inner) == ([b'{"n":1}\n', b'{"n":3}\n'], [b'{"n":2}\n'])
