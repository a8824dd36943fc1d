"""Generated notebooks: code that runs, lines that nobody should write, and JSON that is hardly a notebook."""

import json

from hypothesis import strategies as st
from notebook_rig import CAPABILITY, PROCESS_FRAME

# Imports as people write them, and as nobody should; each must stay what it is, wherever it goes.
IMPORTS = [
    "import math",
    "import math as m, json",
    "import os.path",
    "import collections.abc, os",
    "import xml.dom as dom",
    "from os import path",
    "from collections import abc as os",
    "from math import (\n    pi,\n    tau as τ,\n)",
    "from math import pow, gcd as max",
    "from statistics import mean as sum",
    "from string import digits, ascii_letters as letters, punctuation as marks, whitespace as blanks, hexdigits",
    "import json; import re",
    "json = 3; import bisect",
    "import heapq; a = 5",
    "import textwrap  # why",
    "# why\nimport string",
    "import \\\n    fractions",
    "a = 1; \\\nimport decimal",
    "import operator; \\\nb = 2",
    "\\\nimport keyword",
    "import numbers \\\n",
    "\x0cimport cmath",
    "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None",
    "try:\n    import nowhere\nexcept (ImportError, OSError):\n    nowhere = {}",
    "if len(str(1)) == 1:\n\timport heapq as math",
    "def late():\n    import math as hidden\n    return hidden.pi\nlate_pi = late()",
    "import os\ndel os",
    "import byoc_kit",
    "import byoc_kit.core.frames",
    "from byoc_kit import Capability, VideoFrame",
    "from __future__ import annotations",
    "from __future__ import annotations, division  # both",
    "from __future__ import generators; b = 4",
]

# `{0}` is a name, `{1}` a value that is there.
STATEMENTS = [
    "{0} = {1}",
    "{0} = [{1}, *range(3)]",
    "{0}: int = 2",
    "{0}: 'list[int]'",
    "{0} = f'{{{1}!r:>10}}{{{{}}}} {{len(str({1}))}}'",
    "{0} = max(1, 2), pow(2, 3), sum([1, 2])",
    "{0} = [x * 2 for x in range(3) if (last := x) or True]",
    "{0} = {{k: v for k, v in enumerate('ab')}}",
    "{0} = (lambda *a, k=({1}), **kw: (a, k))(1, *[2], **{{}})",
    "{0} = ''' {{{{ x }}}} {{% y %}} ]]>\n%time\n%matplotlib inline\n!ls\n\n  '''",
    "{0} = r'\\' 'é\u2028\x0c' \\\n  'more'",
    "{0} = 'a' # %% cell 1\n# %%",
    "# only said\\",
    "def {0}_of(x, /, y: 'int' = 1, *z, k=({1})) -> str:\n\t'''Doc.'''\n\n\treturn (x, y, k)\n{0} = {0}_of(2)",
    "def outer():\n    n = 1\n    def inner():\n        nonlocal n\n        n += 1\n        return n\n"
    "    return inner() + n\n{0} = outer()",
    "counted = 0\ndef count():\n    global counted\n    counted += 1\ncount(); count()",
    "def reset():\n    global math\n    math = 'gone'\n{0} = reset()",
    "class {0}_class:\n    a = ({1})\n    @staticmethod\n    def f(): return 3\n\n    @property\n"
    "    def g(self): return self.a\n{0} = {0}_class().g, {0}_class.f()",
    "import functools\n@functools.lru_cache(maxsize=None)\ndef cached(n): return n if n < 2 else cached(n - 1)\n"
    "{0} = cached(5)",
    "async def {0}_later():\n    async with x as y:\n        return [i async for i in y]",
    "match {1}:\n    case [a, *rest]:\n        {0} = rest\n    case {{'k': v}} | {{'l': v}}:\n        {0} = v\n"
    "    case _:\n        {0} = 1",
    "for i, {0} in enumerate([1, 2]):\n    pass\nelse:\n    i = 7",
    "while True:\n    {0} = 1\n    break",
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    {0} = str(error)\nfinally:\n    done = True",
    "with open('/dev/null') as file:\n    {0} = file.read()",
    "from typing import TypeAlias\nPair: TypeAlias = 'tuple[int, int]'\n{0}: Pair = (1, 2)",
    "{0} = 1; {0} += 2; ({0})",
    "if {1}:\n    {0} = 3\nelif not {1}:\n    {0} = 4",
    "({0} := 5)",
    "{0} = {1} if {1} else 'no'\nassert True, 'never'",
    "\x0c{0} = 9",
    "{0} = '" + 3000 * "long " + "'",
    "del {0}",
]
NAMES = ["a", "b", "größe", "ﬁx", "名", "math", "json", "os", "last"]
HARMLESS = ["%matplotlib inline", "%load_ext autoreload\n%autoreload 2", "%config A.b = 'c'"]


@st.composite
def cells_that_run(draw):
    """Draw the sources of tagged cells; most are fit for export."""
    there = ["1", "'text'"]
    cells = []
    for _ in range(draw(st.integers(1, 4))):
        parts = [draw(st.sampled_from(HARMLESS))] if draw(st.integers(0, 5)) == 0 else []
        for _ in range(draw(st.integers(1, 4))):
            if draw(st.booleans()):
                parts.append(draw(st.sampled_from(IMPORTS)))
            else:
                name = draw(st.sampled_from(NAMES))
                statement = draw(st.sampled_from(STATEMENTS))
                parts.append(statement.format(name, draw(st.sampled_from(there))))
                there += [name] if statement.startswith("{0} = ") else []
        source = draw(st.sampled_from(["\n", "\n\n", "\n\n\n# said\n\n"])).join(parts)
        magic = draw(st.sampled_from(["", "", "", "%%time\n", "\n%%capture out\n"]))
        cells.append(magic + source + draw(st.sampled_from(["", "\n", "\n\n  \n"])))
    return [*cells, CAPABILITY, PROCESS_FRAME]


CHARACTERS = (
    st.sampled_from(list("\x00\x0b\x0c\x1b[2J\t \r\n\ud800\u202e\u2028\ufeff\"'`{}%#\\)(ﬁé名=:;!?]>")) | st.characters()
)
LINES = st.sampled_from(
    [
        *IMPORTS,
        *(statement.format("a", "1") for statement in STATEMENTS),
        *HARMLESS,
        *("%%bash", "!ls", "x = !ls", "len?", "?len", "%pip install x", "%%time", "   %time f()", "files = %sx ls"),
        *("{{ x }}", "{% x %}", "]]>", "await x", "return", "yield 1", "async for x in y: pass", "from os import *"),
        *(
            "from . import x",
            "import nowhere.at.all",
            "from IPython import display",
            "display(x)",
            "x = (",
            "'''",
            "if x:",
        ),
        *("x: 'a\\0b'", "x: '\\ud800'", "x: 'a b('", "'%(' % x", "'{'.format(x)", "__all__ = ['x']", "x = \\"),
        *("def process_frame(): yield", "capability = Capability(model_id=x, **y)", "capability = (f[0xff])()"),
        *(
            "capability = Capability(model_id='\\ud800')",
            "class Params(byoc_kit.Params):\n    x: int = Field(1, ge='a')",
        ),
        *("API_KEY = 'a1b2c3d4'", "x = open('/home/me/x')", "byoc_kit.asset('../x')", "f'''{\n\nmissing}\n'''"),
        *(
            "\N{MATHEMATICAL BOLD SMALL X} = ﬁ + ŉ",
            "\tx = 1\n        y = 2",
            " " * 3000 + "x",
            "é = missing; x",
        ),
        *("lambda: (yield)", "global x"),
    ]
)
HOSTILE = st.lists(LINES | st.text(CHARACTERS, max_size=12), max_size=5).map("\n".join)


def document(cells, **metadata):
    """Return a notebook's document of (kind, source) pairs as ``notebook_rig`` has them."""
    made = [
        {
            "cell_type": "markdown" if kind == "markdown" else "code",
            "metadata": {"tags": ["byoc"]} if kind == "byoc" else {},
            "source": source,
        }
        for kind, source in cells
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made}


CELLS = st.tuples(st.sampled_from(["byoc", "byoc", "", "markdown"]), HOSTILE)
HOSTILE_NOTEBOOKS = st.lists(CELLS, max_size=4).flatmap(
    lambda cells: st.permutations([*cells, ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)])
)

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(CHARACTERS, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def _or_junk(strategy):
    return st.one_of(strategy, strategy, strategy, JUNK)


_CELLS = st.fixed_dictionaries(
    {
        "cell_type": _or_junk(st.just("code")),
        "source": _or_junk(HOSTILE | HOSTILE.map(lambda s: s.splitlines(keepends=True))),
    },
    optional={
        "metadata": _or_junk(st.fixed_dictionaries({"tags": _or_junk(st.just(["byoc"]) | st.just([]))})),
        "id": _or_junk(st.sampled_from(["a", "b", "x" * 65, "../x", "a b", "a\n# %%", "é"])),
        "outputs": JUNK,
        "execution_count": JUNK,
    },
)
_DOCUMENTS = st.fixed_dictionaries(
    {
        "cells": _or_junk(
            st.lists(_or_junk(_CELLS), max_size=4).map(lambda c: c + document([("byoc", PROCESS_FRAME)])["cells"])
        )
    },
    optional={
        "nbformat": _or_junk(st.integers(2, 5)),
        "nbformat_minor": _or_junk(st.integers(0, 6)),
        "worksheets": JUNK,
        "metadata": _or_junk(
            st.fixed_dictionaries(
                {
                    "language_info": _or_junk(
                        st.fixed_dictionaries(
                            {"name": _or_junk(st.just("python")), "version": _or_junk(st.text(CHARACTERS))}
                        )
                    )
                }
            )
        ),
    },
)
_ENCODED = st.builds(
    lambda content, indent, encoding, end: (json.dumps(content, indent=indent) + end).encode(encoding),
    _or_junk(_DOCUMENTS),
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["", "\n", "\r\n"]),
)
FILES = st.one_of(
    _ENCODED,
    st.tuples(_ENCODED, st.floats(0, 1)).map(lambda cut: cut[0][: int(len(cut[0]) * cut[1])]),
    st.binary(max_size=20),
    st.sampled_from(
        [b"", b"[" * 100_000, b'{"cells": ' + b"[" * 900 + b"]" * 900 + b"}", b"1" * 5000, b"\xed\xa0\x80"]
    ),
)
FILE_NAMES = [
    *(
        "a.ipynb",
        "..ipynb",
        "...ipynb",
        ".ipynb",
        "a b.ipynb",
        "it's.ipynb",
        'a"b.ipynb',
        "a\nb.ipynb",
        "-x.ipynb",
        "a.b",
    ),
    *("\x1b[31m.ipynb", "{{ x }}.ipynb", "\u202e.ipynb", "\udcff.ipynb", '""".ipynb', "x" * 240 + ".ipynb"),
]

# What an edit of processor.py puts in; of calls the place of imports below them would depend.
NEW_LINES = [
    *("", "    ", "new = 1", "# new", "def new():\n    return 1", "new: int = len('x')", "''' new\n\n'''", "x \\"),
    *("class New:\n\n    x = 1", "@staticmethod\ndef new(): ...", "# %%"),
]

# Cells that are functions, and which of the others each needs.
CELLS_OF_NEEDS = st.integers(1, 8).flatmap(
    lambda count: st.lists(
        st.sets(st.integers(0, count - 1), max_size=3).map(lambda s: ", ".join(f"f{at}" for at in sorted(s)) or "pass"),
        min_size=count,
        max_size=count,
    )
)

EVIL = '__import__("os").environ.__setitem__("BYOC_KIT_RAN", "1")'
# Where code may stand so that a careless reader of it would run it.
EVIL_PLACES = [
    "EVIL",
    "@(lambda f: EVIL)\ndef f(): ...",
    "def f(x=EVIL, *, y=EVIL) -> EVIL: ...",
    "def f(x: 'EVIL') -> 'EVIL': ...",
    "class A(EVIL or object, metaclass=EVIL or type, x=EVIL):\n    EVIL",
    "x = f'{EVIL} {1:{EVIL}}'",
    "x: EVIL = EVIL",
    "x: 'EVIL' = [EVIL for _ in [EVIL]]",
    "assert EVIL, EVIL",
    "match EVIL:\n    case _ if EVIL: ...",
    "import byoc_kit.nowhere\nbyoc_kit.asset(EVIL)\nopen(EVIL)",
    "from byoc_kit import Capability\ncapability = Capability(model_id=EVIL)",
    "from byoc_kit import Capability\ncapability = (EVIL or Capability)(model_id='x')",
    "class Params(byoc_kit.Params):\n    x: int = EVIL",
    "class Params(byoc_kit.Params):\n    x: EVIL = 1",
    "class Params(byoc_kit.Params):\n    x: 'EVIL' = 1",
    "class Params(byoc_kit.Params):\n    x: int = Field(default_factory=lambda: EVIL)",
    "class Params(byoc_kit.Params):\n    x: int = Field(1, ge=EVIL, json_schema_extra=lambda schema: EVIL)",
    "class Params(byoc_kit.Params):\n    x: Annotated[int, EVIL, lambda v: EVIL] = 1",
    "class Params(byoc_kit.Params, x=EVIL):\n    model_config = {'json_schema_extra': lambda schema: EVIL}",
    "class Params(byoc_kit.Params):\n    x: str = f'{EVIL}'\n    EVIL",
    "class Params(byoc_kit.Params):\n    x: int = 1\n    @field_validator('x')\n    def v(cls, x): EVIL",
    "class Params(byoc_kit.Params):\n    x: int = 1\n    def __init_subclass__(cls): EVIL\nclass More(Params): ...",
    "class Base:\n    def __set_name__(self, *a): EVIL\nclass Params(byoc_kit.Params):\n    x: int = Base()",
    "class Meta(type(byoc_kit.Params)):\n    def __new__(*a, **k): EVIL\n"
    "class Params(byoc_kit.Params, metaclass=Meta): ...",
    "import enum\nclass E(enum.Enum):\n    A = EVIL\n    def _generate_next_value_(*a): EVIL\n    B = enum.auto()\n"
    "class Params(byoc_kit.Params):\n    x: E = E.A",
]
