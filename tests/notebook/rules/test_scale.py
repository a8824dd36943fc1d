import pytest
from notebook_rig import CAPABILITY, check


def found(make, body, argument="frame"):
    """Return how many findings of the rule there are."""
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    source = f"import torch\ndef half(x): ...\ndef process_frame({argument}, params):\n{lines}"
    return [f.code for f in check(make(("byoc", CAPABILITY), ("byoc", source)))].count("scaled-tensor")


@pytest.mark.parametrize(
    "body",
    [
        "return frame.tensor * 255",
        "return 255.0 * frame.tensor",
        "return frame.replace(tensor=(1 - frame.tensor) * 255)",
        "inverted = 1.0 - frame.tensor.flip(1)\nout = inverted * 255\nreturn frame.replace(tensor=out)",
        "if params.on:\n    return frame.tensor.clone() * 255\nreturn frame",
    ],
)
def test_a_tensor_of_0_to_255_that_is_returned(make, body):
    assert found(make, body) == 1
    assert found(make, body.replace("frame", "picture"), "picture") == 1


@pytest.mark.parametrize(
    "body",
    [
        "return (frame.tensor * 255).to(torch.uint8)",
        "return (frame.tensor * 255).byte()",
        "return frame.tensor / 255 * 255",
        "return (frame.tensor > 0.5) * 255",
        "return frame.pixels * 255",
        "return frame.tensor * 0.001 * 255",
        "return frame.tensor * 25",
        "return params.tensor * 255",
        "x = frame.tensor\nx /= 255\nreturn x * 255",
        "frame.tensor[:] = 0.001\nreturn frame.tensor * 255",
        "frame.tensor.div_(255)\nreturn frame.tensor * 255",
        "half(frame)\nreturn frame.tensor * 255",
        "x = frame.tensor\nhalf(x)\nreturn x * 255",
        "frame = half(1)\nreturn frame.tensor * 255",
        "frame = half(1)\nframe = half(2)\nreturn frame.tensor * 255",
        "out = frame.tensor * 255\nout = out / 255\nreturn out",
        "x = x.clone()\nreturn x * 255",
        "def inner():\n    return frame.tensor * 255\nreturn inner() / 255",
    ],
)
def test_what_may_be_right(make, body):
    assert found(make, body) == 0
