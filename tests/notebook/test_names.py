import pytest

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.names import bindings, imports


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(a): b = 1", ["f"]),
        ("async def f(): ...", ["f"]),
        ("class A:\n    x = 1", ["A"]),
        ("a, (b, *c) = d = 1, (2, 3)", ["a", "b", "c", "d"]),
        ("a: int = 1\nb: int", ["a"]),
        ("a += 1", ["a"]),
        ("a.b = c[0] = 1", []),
        ("import a.b, c as d\nfrom e import f, g as h", ["a", "d", "f", "h"]),
        ("try:\n    import a\nexcept ImportError:\n    a = None", ["a", "a"]),
        ("for a in b:\n    c = 1\nelse:\n    d = 2", ["a", "c", "d"]),
        ("with a as b: pass", ["b"]),
        ("x = [a for a in b if (c := a)]", ["x", "c"]),
        ("x = lambda a: (b := a)", ["x"]),
        ("match a:\n    case {'k': b, **c}: ...\n    case [d, *e]: ...\n    case f: ...", ["c", "b", "e", "d", "f"]),
    ],
)
def test_what_binds_a_name_at_the_top_level(make, source, names):
    assert sorted(b.name for b in bindings(Analysis(make(("byoc", source))))) == sorted(names)


def test_a_binding_knows_its_cell_and_line(make):
    [binding] = bindings(Analysis(make(("", ""), ("byoc", "\nif 1:\n    a = 2"))))
    assert (binding.cell.number, binding.place.line, binding.node is binding.statement) == (2, 3, False)


def test_imports_are_found_at_any_depth_and_in_order(make):
    source = "def f():\n    import b.c\nfrom a.d import e\nfrom . import no\nimport os, sys"
    assert [(i.module, i.place.line) for i in imports(Analysis(make(("byoc", source))))] == [
        ("b", 2),
        ("a", 3),
        ("os", 5),
        ("sys", 5),
    ]


@pytest.mark.parametrize(
    ("handler", "is_optional"),
    [
        ("except ImportError", True),
        ("except (KeyError, ModuleNotFoundError)", True),
        ("except", True),
        ("except KeyError", False),
    ],
)
def test_an_import_whose_absence_is_handled_is_optional(make, handler, is_optional):
    source = f"try:\n    import cupy\n{handler}:\n    import numpy"
    assert [(i.module, i.is_optional) for i in imports(Analysis(make(("byoc", source))))] == [
        ("cupy", is_optional),
        ("numpy", False),
    ]


@pytest.mark.parametrize(
    "guard",
    [
        "with suppress(ImportError):",
        "with contextlib.suppress(KeyError, ModuleNotFoundError):",
        'if importlib.util.find_spec("cupy"):',
        'if find_spec("cupy") is not None:',
    ],
)
def test_an_import_below_such_a_guard_is_optional_too(make, guard):
    found = imports(Analysis(make(("byoc", f"{guard}\n    import cupy\nimport numpy"))))
    assert [(i.module, i.is_optional) for i in found] == [("cupy", True), ("numpy", False)]


@pytest.mark.parametrize("guard", ["with suppress(KeyError):", "with open(ImportError):", 'if not find_spec("cupy"):'])
def test_an_import_below_another_is_not(make, guard):
    [found] = imports(Analysis(make(("byoc", f"{guard}\n    import numpy"))))
    assert not found.is_optional


@pytest.mark.parametrize("test", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_import_is_not_imported(make, test):
    source = f"if {test}:\n    import jaxtyping\nelse:\n    import numpy"
    assert [i.module for i in imports(Analysis(make(("byoc", source))))] == ["numpy"]
