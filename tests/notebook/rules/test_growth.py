import pytest
from notebook_rig import CAPABILITY, check

HEAD = """\
import collections
frames, seen, count, last = [], {}, 0, None
queue = collections.deque()
recent = collections.deque(maxlen=8)
ring = [None] * 8
later = None
"""
RESETS = (
    "def on_stream_start(params):\n    global later\n    frames.clear(); seen.clear(); queue.clear()\n    later = []"
)


def growing(make, body, *sources):
    lines = "\n".join(f"    {line}" for line in body.split("\n"))
    hook = f"def process_frame(frame):\n    global frames, count, last, later\n{lines}\n    return frame"
    cells = [("byoc", source) for source in (HEAD, RESETS, *sources, hook, CAPABILITY)]
    return [finding.message.split()[0] for finding in check(make(*cells)) if finding.code == "growing-state"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("frames.append(frame)", "frames"),
        ("frames.append(frame.time_s)", "frames"),
        ("frames.extend([frame.tensor])", "frames"),
        ("frames.insert(0, frame)", "frames"),
        ("frames += [frame]", "frames"),
        ("frames = frames + [frame]", "frames"),
        ("frames = [*frames, frame]", "frames"),
        ("queue.append(frame)", "queue"),
        ("later.append(frame)", "later"),
        ("seen[frame.timestamp] = frame", "seen"),
        ("count += 1\nseen[count] = frame", "seen"),
        ("remember(frame)", "frames"),
        ("frames.append(frame)\nif frames: last = frames[-1]", "frames"),
        ("if frame.pts % 2:\n    frames.append(frame)", "frames"),
    ],
)
def test_what_each_frame_makes_longer_although_a_stream_begins_again(make, body, name):
    assert growing(make, body, "def remember(picture):\n    frames.append(picture)") == [name]


@pytest.mark.parametrize(
    "body",
    [
        "recent.append(frame)",
        "ring[count % 8] = frame\ncount += 1",
        "frames.append(frame)\nif len(frames) > 8:\n    frames.pop(0)",
        "frames.append(frame)\nforget()",
        "frames.append(frame)\ntrim(frames)",
        "frames.append(frame)\ndel frames[:-8]",
        "frames.append(frame)\nframes[:] = frames[-8:]",
        "frames.append(frame)\nframes = frames[-8:]",
        "frames = [*frames, frame][-8:]",
        "frames = (frames + [frame])[-8:]",
        "queue.append(frame)\nwhile len(queue) > 8:\n    queue.popleft()",
        "if len(frames) < 8:\n    frames.append(frame)",
        "if len(frames) == 8:\n    return frame\nframes.append(frame)",
        "frames.append(frame)\nif len(frames) == 8:\n    frames.clear()",
        "seen[frame.width] = frame",
        "seen[count] = frame\ncount += 1\nif count == 8:\n    count = 0",
        "count += 1",
        "frames = []\nframes.append(frame)",
    ],
)
def test_what_has_a_bound(make, body):
    helpers = "def forget():\n    del frames[0]\ndef trim(some):\n    some.pop()"
    assert growing(make, body, helpers) == []


def test_a_list_of_the_function_itself_ends_with_it(make):
    hook = "def process_frame(frame):\n    frames = []\n    frames.append(frame)\n    return frames[0]"
    assert check(make(("byoc", "frames = []"), ("byoc", hook), ("byoc", CAPABILITY))) == []


def test_a_list_that_only_loading_makes_longer(make_sound):
    assert check(make_sound("names = []\ndef load_model():\n    names.append('a')")) == []
