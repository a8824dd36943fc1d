import pytest
from notebook_rig import CAPABILITY, check

HEAD = "import collections, torch\nprev, state, count = None, {}, 0\nbuffer = collections.deque(maxlen=8)"
SIZES = "SIDE = 8\nSMALL = (SIDE, 4)"


def kept(make, body, *sources):
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    hook = f"def process_frame(frame, params):\n    global prev, count\n{lines}\n    return frame"
    cells = [("byoc", source) for source in (HEAD, SIZES, *sources, hook, CAPABILITY)]
    return [finding.message.split()[2] for finding in check(make(*cells)) if finding.code == "kept-frame"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("prev = frame.tensor", "prev"),
        ("x = frame.tensor / 255\nprev = 0.9 * x + 0.1 * (x if prev is None else prev)", "prev"),
        ("state['last'] = frame.pixels.copy()", "state"),
        ("buffer.append(frame.tensor)", "buffer"),
        ("prev = torch.mean(frame.tensor, dim=1)", "prev"),
        ("remember(frame.tensor)", "state"),
        ("prev = cv2.resize(frame.pixels, None, fx=0.5, fy=0.5)", "prev"),
        ("prev = cv2.resize(frame.pixels, (64, frame.height))", "prev"),
        ("prev = resize(frame.tensor, SIDE)", "prev"),
    ],
)
def test_what_is_made_of_a_frame_and_stays(make, body, name):
    helper = "def remember(picture):\n    state['last'] = picture"
    assert kept(make, body, helper) == [name]
    resets = f"def on_stream_start(params):\n    global prev\n    {name}{' = None' if name == 'prev' else '.clear()'}"
    assert kept(make, body, helper, resets) == []
    assert kept(make, body, helper, f"def clear(): {name}.clear()\ndef on_stream_stop(): clear()") == []


@pytest.mark.parametrize(
    "body",
    [
        "count += 1",
        "prev = frame.timestamp",
        "prev = float(frame.tensor.max())",
        "prev = frame.tensor.mean().item()",
        "prev = params.gain",
        "local = frame.tensor",
        "if prev is None or prev.shape != frame.tensor.shape:\n    prev = frame.tensor",
        "buffer.append(frame.time_s)",
        "prev = frame.width > 3",
        "prev = cv2.resize(frame.pixels, (64, 36))",
        "prev = cv2.cvtColor(cv2.resize(frame.pixels, SMALL), cv2.COLOR_RGB2GRAY)",
        "small = F.interpolate(frame.tensor.permute(0, 3, 1, 2), size=(SIDE, SIDE))\nprev = small",
        "prev = np.histogram(frame.pixels, bins=32)[0]",
        "buffer.append(cv2.calcHist([frame.pixels], [0], None, [32], [0, 256]))",
        "state[frame.pixels.shape] = frame.pixels",
        "state.setdefault((frame.width, frame.height), torch.zeros_like(frame.tensor))",
        "key = frame.tensor.shape\nif key not in state:\n    state[key] = torch.zeros_like(frame.tensor)",
    ],
)
def test_what_fits_a_stream_of_any_size(make, body):
    assert kept(make, body) == []
