"""Decorators that hide a hook's parameters; what is said of them here holds when the module is loaded."""

import pytest
from notebook_rig import CAPABILITY, check

import byoc_kit
from byoc_kit.core.hooks import Hooks
from byoc_kit.errors import ByocKitError

PARAMS = "import functools\nimport byoc_kit\nclass Params(byoc_kit.Params):\n    gain: float = 1.0\n"
HOOK = "def process_frame(frame, params):\n    return frame"

HIDING = {
    "a function": (
        "def timed(function):\n    def inner(*args, **kwargs):\n        return function(*args, **kwargs)\n"
        "    return inner\n",
        f"@timed\n{HOOK}",
        "write @functools.wraps(function) above inner",
    ),
    "a frame and the rest": (
        "def timed(f):\n    def inner(frame, *rest, **more):\n        x = f(frame, *rest, **more)\n        return x\n"
        "    return inner\n",
        f"@timed\n{HOOK}",
        "write @functools.wraps(f) above inner",
    ),
    "a factory": (
        "def timed(label):\n    def decorate(f):\n        def inner(*a, **k):\n            print(label)\n"
        "            return f(*a, **k)\n        return inner\n    return decorate\n",
        f"@timed('x')\n{HOOK}",
        "write @functools.wraps(f) above inner",
    ),
    "a lambda": (
        "def timed(f):\n    return lambda *a, **k: f(*a, **k)\n",
        f"@timed\n{HOOK}",
        "return functools.wraps(f)(lambda ...) in timed",
    ),
    "a class": (
        "class Timed:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self, *a, **k):\n"
        "        return self.f(*a, **k)\n",
        f"@Timed\n{HOOK}",
        "write functools.update_wrapper(self, function) in the __init__ of Timed",
    ),
    "an assignment": (
        "def timed(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n",
        f"{HOOK}\nprocess_frame = timed(process_frame)",
        "write @functools.wraps(f) above inner",
    ),
    "an annotation of another name": (
        "def timed(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n",
        "@timed\ndef process_frame(frame, look: Params):\n    return frame",
        "write @functools.wraps(f) above inner",
    ),
    "one of two": (
        "def kept(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n"
        "def timed(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n",
        f"@kept\n@timed\n{HOOK}",
        "write @functools.wraps(f) above inner",
    ),
}
SHOWING = {
    "wraps": (
        "def timed(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n        return f(*a, **k)\n"
        "    return inner\n",
        f"@timed\n{HOOK}",
    ),
    "update_wrapper": (
        "def timed(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n"
        "    return functools.update_wrapper(inner, f)\n",
        f"@timed\n{HOOK}",
    ),
    "the same arguments": (
        "def timed(f):\n    def inner(frame, params):\n        return f(frame, params)\n    return inner\n",
        f"@timed\n{HOOK}",
    ),
    "parameters of its own": (
        "def fixed(f):\n    def inner(frame):\n        return f(frame, Params(gain=2))\n    return inner\n",
        f"@fixed\n{HOOK}",
    ),
    "the function itself": ("def marked(f):\n    f.is_marked = True\n    return f\n", f"@marked\n{HOOK}"),
    "a hook without parameters": (
        "def timed(f):\n    def inner(*a, **k):\n        return f(*a, **k)\n    return inner\n",
        "@timed\ndef process_frame(frame):\n    return frame",
    ),
    "of a library": ("import torch\n", f"@torch.inference_mode()\n{HOOK}"),
}


def cells(decorator, hook):
    return [("byoc", CAPABILITY), ("byoc", PARAMS + decorator), ("byoc", hook)]


def hooks_of(decorator, hook):
    made = {"byoc_kit": byoc_kit}
    exec(PARAMS + decorator + hook, made)  # noqa: S102  # as a notebook's cells do
    return Hooks.of(made["process_frame"])


@pytest.mark.parametrize("kind", HIDING)
def test_a_decorator_that_hides_the_parameters_is_found(make, kind):
    decorator, hook, hint = HIDING[kind]
    [finding] = check(make(*cells(decorator, hook)))
    assert (finding.code, finding.cell, finding.hint) == ("hidden-params", 3, hint)


@pytest.mark.parametrize("kind", HIDING)
def test_and_is_refused_where_it_runs(kind):
    decorator, hook, _ = HIDING[kind]
    with pytest.raises(ByocKitError) as caught:
        hooks_of(decorator, hook)
    assert str(caught.value) == (
        "process_frame takes params, which its decorator hides; put @functools.wraps on what it returns"
    )


@pytest.mark.parametrize("kind", SHOWING)
def test_one_that_shows_them_or_brings_its_own_is_sound(make, kind):
    found = [finding.code for finding in check(make(*cells(*SHOWING[kind])))]
    assert found == (["unused-params"] if kind == "a hook without parameters" else [])
    hooks_of(*SHOWING[kind])


def test_process_audio_is_looked_at_too(make):
    decorator = HIDING["a function"][0]
    audio = "@timed\ndef process_audio(sound, params):\n    return sound"
    [finding] = check(make(*cells(decorator, HOOK), ("byoc", audio)))
    assert (finding.code, finding.cell) == ("hidden-params", 4)
    assert finding.message == "process_audio takes params, and `timed` hides that from the server"
