import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoc_kit.bundle.json_positions import JsonError, Kind, decode_text, parse, place_of

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def values(node):
    """Return what `json.loads` makes of the text."""
    match node.kind:
        case Kind.OBJECT:
            return {member.key: values(member.value) for member in node.members}
        case Kind.ARRAY:
            return list(map(values, node.items))
        case Kind.STRING:
            return node.text
    return json.loads(node.text)


def nodes(node):
    yield node
    for inner in (*node.items, *(member.value for member in node.members)):
        yield from nodes(inner)


@given(DOCUMENTS, st.sampled_from([None, 0, 2, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_reads(document, indent, ensure_ascii):
    text = json.dumps(document, indent=indent, ensure_ascii=ensure_ascii)
    root = parse(decode_text(text.encode()))
    assert values(root) == document
    for node in nodes(root):
        assert json.loads(text[node.start : node.end]) == values(node)
        for member in node.members:
            assert json.loads(re.match(r'"(\\.|[^"\\])*"', text[member.start :])[0]) == member.key


@given(st.text(st.sampled_from('{}[],:"\\ \n01.-eEtruefalsn/')))
def test_it_refuses_what_the_standard_library_refuses(text):
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(JsonError) as raised:
            parse(text)
        assert 0 <= raised.value.at <= len(text)
    else:
        parse(text)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('[\n  {"a": 1},\n]', (2, 11), "a comma before ], with nothing after it"),
        ('{"a": 1,}', (1, 8), "a comma before }, with nothing after it"),
        ('{"a" 1}', (1, 6), "'1' instead of a colon"),
        ("{'a': 1}", (1, 2), '"\'" instead of a key in quotes'),
        ("[1 2]", (1, 4), "'2' instead of a comma or ]"),
        ("[1\n", (2, 1), "the end of the file instead of a comma or ]"),
        ("[01]", (1, 3), "'1' instead of a comma or ]"),
        ("[NaN]", (1, 2), "'N' instead of a value"),
        ('["a\n"]', (1, 4), "invalid control character at"),
        ("[] []", (1, 4), "'[' after the end"),
        ("", (1, 1), "the end of the file instead of a value"),
        ("[" * 100_000, (1, 1), "it is nested too deep"),
    ],
)
def test_it_says_where_json_ends(text, place, message):
    with pytest.raises(JsonError) as raised:
        parse(text)
    assert (str(raised.value), place_of(text, raised.value.at)) == (message, place)


@pytest.mark.parametrize(
    ("data", "at", "message"),
    [
        ('["é"]'.encode("latin-1"), 2, "it is not UTF-8"),
        ("[]".encode("utf-8-sig"), 0, "it begins with a byte order mark"),
        ("[]".encode("utf-16"), 0, "it is not UTF-8"),
    ],
)
def test_another_encoding_is_none(data, at, message):
    with pytest.raises(JsonError) as raised:
        decode_text(data)
    assert (str(raised.value), raised.value.at) == (message, at)
