from dataclasses import dataclass

import pytest

from byoc_kit.network.go_json import GoJsonError, decode


@dataclass(frozen=True)
class Item:
    name: str = ""


@dataclass(frozen=True)
class Body:
    app: str = ""
    capacity: int = 0
    proxy: bool = False
    ids: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    gpu: Item | None = None


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"{}", Body()),
        (b"null", Body()),
        (b' {"app": "a", "capacity": 2, "proxy": true}', Body("a", 2, proxy=True)),
        (b'{"APP": "a", "Capacity": 2}', Body("a", 2)),
        (b'{"unknown": [1], "app": "a"}', Body("a")),
        (b'{"app": null, "gpu": null, "ids": null}', Body()),
        (b'{"ids": ["x", null], "items": [{"name": "n"}, null]}', Body(ids=("x", ""), items=(Item("n"), Item()))),
        (b'{"gpu": {}}', Body(gpu=Item())),
        (b'{"app": "a"} what follows', Body("a")),
        (b'{"app": "\xff"}', Body("\ufffd")),
        (rb'{"app": "\ud800"}', Body("\ufffd")),
    ],
)
def test_a_body_is_read_as_go_reads_it(body, read):
    assert decode(body, Body) == read


@pytest.mark.parametrize(
    ("body", "message", "path"),
    [
        (b"", "EOF", ()),
        (b"{", "invalid JSON: ", ()),
        (b'{"capacity": NaN}', "invalid JSON: NaN", ()),
        (b"[]", "json: cannot unmarshal array into Go value of type Body", ()),
        (
            b'{"capacity": "2"}',
            "json: cannot unmarshal string into Go struct field capacity of type int",
            ("capacity",),
        ),
        (
            b'{"capacity": 1.5}',
            "json: cannot unmarshal number 1.5 into Go struct field capacity of type int",
            ("capacity",),
        ),
        (
            b'{"capacity": true}',
            "json: cannot unmarshal bool into Go struct field capacity of type int",
            ("capacity",),
        ),
        (b'{"proxy": 1}', "json: cannot unmarshal number into Go struct field proxy of type bool", ("proxy",)),
        (b'{"ids": "x"}', "json: cannot unmarshal string into Go struct field ids of type []string", ("ids",)),
        (
            b'{"items": [{}, {"name": {}}]}',
            "json: cannot unmarshal object into Go struct field items.name of type string",
            ("items", 1, "name"),
        ),
    ],
)
def test_what_go_refuses_says_what_and_where(body, message, path):
    with pytest.raises(GoJsonError) as refused:
        decode(body, Body)
    assert str(refused.value).startswith(message)
    assert refused.value.path == path


def test_a_whole_document_has_nothing_behind_it():
    assert decode(b"{} \n", Body, only=True) == Body()
    with pytest.raises(GoJsonError, match="invalid character 'x' after top-level value"):
        decode(b"{} x", Body, only=True)
    with pytest.raises(GoJsonError, match="unexpected end of JSON input"):
        decode(b" ", Body, only=True)
