import json
import math

import numpy as np
import pytest
import torch

from byoc_kit import publish
from byoc_kit.core.publish import MAX_LINE, DataError, encode_line, publishing_to


def test_a_message_is_one_line_of_json():
    assert encode_line({"faces": [{"x": 1, "text": "a\nb"}]}) == b'{"faces":[{"x":1,"text":"a\\nb"}]}\n'


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ([1], "takes a dict, not list"),
        ("text", "takes a dict, not str"),
        ({"x": object()}, "only JSON values: object is not a type that JSON has; send numbers, strings, lists"),
        ({"x": np.float32("nan")}, "only JSON values"),
        ({"x": np.zeros((720, 1280))}, "ndarray has 921600 values, but at most 32767 fit"),
        ({"x": math.nan}, "only JSON values"),
        ({(1, 2): 3}, "only JSON values"),
        ({"x": "a" * MAX_LINE}, "less than 64 KiB a message, not 65544 bytes"),
    ],
)
def test_what_the_channel_cannot_carry_is_refused_in_a_sentence(message, text):
    with pytest.raises(DataError, match=text):
        publish(message)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([1, 2]), [1, 2]),
        ({"box": [np.uint8(1), torch.tensor(2)]}, {"box": [1, 2]}),
    ],
)
def test_values_of_numpy_and_torch_are_numbers_and_lists(value, sent):
    assert json.loads(encode_line({"x": value})) == {"x": sent}


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
