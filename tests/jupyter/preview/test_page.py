"""The part of the preview that runs in the browser, in a page without JupyterLab: its messages, fields and keys."""

import base64

import numpy as np
import pytest
from lab_rig import READ_CANVAS

from byoc_kit.jupyter.preview import pictures
from byoc_kit.jupyter.preview.front_end import Pictures

pytestmark = pytest.mark.browser

PLAIN, SECURE = "http://preview.test/", "http://localhost/"

# A model as anywidget has one: what the widget sends is kept, and `receive` is what the kernel sends.
MODEL = """async () => {
  const handlers = new Set();
  window.sent = [];
  const model = {
    get: (name) => ({ width: 64, height: 48 })[name],
    on: (name, handler) => name === "msg:custom" && handlers.add(handler),
    off: (_, handler) => handlers.delete(handler),
    send: (content, _, buffers) => sent.push({ ...content, bytes: buffers?.[0].byteLength }),
  };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  window.receive = (content, ...texts) => handlers.forEach((handler) => handler(content, texts.map(bytes)));
  const widget = (await import("/widget.js")).default();
  window.forget = widget.initialize({ model });
  window.leave = widget.render({ model, el: document.body });
}"""

STATE = {
    "is_playing": True,
    "source": "first.mp4",
    "sources": ["first.mp4", "webcam"],
    "is_looping": True,
    "speed": 1,
    "has_ended": False,
}
STATUS = {
    "number": 1,
    "notice": "",
    "is_warning": False,
    "error": None,
    "state": {**STATE, "can_revert": False, "is_reverted": False, "is_recording": False},
    "version": "",
    "sizes": "",
    "published": None,
    "printed": None,
    "captions": ["input", "output"],
    "curl": "curl",
    "numbers": [["30 fps", "in", "Frames a second", False], ["1 MB", "memory", "Of the kernel", True]],
    "budget": None,
}
POSITION = {"number": 3, "count": 10, "time_s": 0.1}


class Page:
    """The page, as its kernel and as a person see it."""

    def __init__(self, page):
        self.page = page

    def receive(self, content, *data):
        texts = [base64.b64encode(one).decode() for one in data]
        self.page.evaluate("([content, texts]) => receive(content, ...texts)", [content, texts])

    def receive_pair(self, number, *data, is_asked=True, **content):
        pair = {"kind": "pair", "number": number, "asked": is_asked, "position": POSITION, "captured_ms": None}
        self.receive({**pair, **content}, *data)

    def receive_at_once(self, data, *, is_asked=True):
        """Receive pairs of one picture twice each, before any of them is decoded."""
        self.page.evaluate(
            """([pictures, asked, position]) => pictures.forEach((picture, number) =>
              receive({ kind: "pair", number, asked, position, captured_ms: null }, picture, picture))""",
            [[base64.b64encode(one).decode() for one in data], is_asked, POSITION],
        )

    def sent(self, kind):
        return [content for content in self.page.evaluate("sent") if content["kind"] == kind]

    def wait_until(self, claim, arg=None):
        self.page.wait_for_function(claim, arg=arg, polling=20)  # a test may have no repaints

    def wait_for(self, kind, count=1):
        """Wait until so many messages of a kind were sent, and return them."""
        self.wait_until(
            "([kind, count]) => sent.filter((content) => content.kind === kind).length >= count", [kind, count]
        )
        return self.sent(kind)

    def answers(self, count):
        """Wait until so many pictures were answered, and return whether each was drawn, by its number."""
        self.wait_until("count => sent.flatMap((content) => content.pictures ?? []).length >= count", count)
        return {answer["number"]: answer["drawn"] for ack in self.sent("ack") for answer in ack["pictures"]}

    @property
    def commands(self):
        return [(content["name"], content["value"]) for content in self.sent("command")]

    def colour(self, name):
        """Return the mean red, green and blue of a canvas."""
        return self.page.evaluate(READ_CANVAS, name)["means"]


@pytest.fixture
def shown(page):
    """The widget in a page where a camera is allowed."""
    return opened(page, SECURE)


def opened(page, origin):
    def answer(route):
        is_module = route.request.url.endswith(".js")
        body = Pictures._esm if is_module else "<!doctype html>"
        route.fulfill(body=str(body), content_type="text/javascript" if is_module else "text/html")

    page.route(f"{origin}**", answer)
    page.goto(origin)
    page.evaluate(MODEL)
    return Page(page)


def jpeg(*colour, size=(64, 48)):
    """A picture of one red, green and blue."""
    return pictures.jpeg(np.full((size[1], size[0], 3), colour, np.uint8))


def is_near(colour, *wanted):
    return np.allclose(colour, wanted, atol=4)


def test_both_pictures_of_a_pair_are_drawn_and_answered(shown):
    shown.receive_pair(7, jpeg(200, 0, 0), jpeg(0, 0, 200))
    assert shown.answers(1) == {7: True}
    assert is_near(shown.colour("input"), 200, 0, 0)
    assert is_near(shown.colour("output"), 0, 0, 200)
    assert shown.page.locator(".byoc-preview-where").inner_text() == "3 / 9 · 0:00.1"


def test_a_withheld_output_is_marked_until_the_next(shown):
    withheld = shown.page.locator(".byoc-preview-output.byoc-preview-withheld")
    shown.receive_pair(1, jpeg(200, 0, 0), jpeg(0, 0, 200))
    assert shown.answers(1) == {1: True}
    shown.receive_pair(2, jpeg(0, 200, 0))
    assert shown.answers(2) == {1: True, 2: True}
    assert withheld.count() == 1
    assert is_near(shown.colour("input"), 0, 200, 0)
    shown.receive_pair(3, jpeg(0, 200, 0), jpeg(90, 90, 90))
    shown.answers(3)
    assert withheld.count() == 0


def compare(shown, mode, **options):
    shown.page.add_style_tag(content=str(Pictures._css))
    shown.page.get_by_label("Compare", exact=True).select_option(mode)
    for label, value in options.items():
        shown.page.get_by_label(label, exact=True).select_option(value)


def box(shown, selector):
    return shown.page.locator(selector).bounding_box()


@pytest.mark.parametrize("mode", ["swipe", "flicker"])
def test_an_output_of_another_shape_hides_all_of_the_input_below_it(shown, mode):
    shown.receive_pair(1, jpeg(200, 0, 0), jpeg(0, 0, 200, size=(64, 24)))
    shown.answers(1)
    compare(shown, mode)
    assert box(shown, ".byoc-preview-output") == box(shown, ".byoc-preview-input")
    look = "getComputedStyle(document.querySelector('.byoc-preview-output'))"
    assert shown.page.evaluate(f"[{look}.objectFit, {look}.backgroundColor]") == ["contain", "rgb(0, 0, 0)"]


@pytest.mark.parametrize(("amplify", "wanted"), [("1", 10), ("4", 40), ("16", 160)])
def test_the_difference_is_amplified_as_chosen(shown, amplify, wanted):
    shown.receive_pair(1, jpeg(60, 60, 60), jpeg(70, 70, 70))
    shown.answers(1)
    compare(shown, "difference", Amplify=amplify)
    assert np.allclose(shown.colour("difference"), wanted, atol=int(amplify))


def test_the_difference_of_other_shapes_stretches_neither(shown):
    shown.receive_pair(1, jpeg(60, 60, 60), jpeg(160, 160, 160, size=(64, 24)))
    shown.answers(1)
    compare(shown, "difference", Amplify="1")
    assert is_near(
        shown.colour("difference"), 50, 50, 50
    )  # a difference of 100 in half of the picture, bars above and below
    shown.receive({"kind": "status", "status": {**STATUS, "sizes": "64x24 of 64x48"}})
    assert "64x24 of 64x48" in shown.page.locator("figcaption").last.inner_text()


def test_pictures_that_are_compared_take_the_whole_width(shown):
    compare(shown, "swipe")
    whole = box(shown, ".byoc-preview-pictures")["width"]
    assert box(shown, ".byoc-preview-input")["width"] == box(shown, ".byoc-preview-output")["width"] == whole


def test_zoom_enlarges_the_spot_under_the_pointer_in_both_pictures(shown):
    shown.receive_pair(1, jpeg(9, 9, 9), jpeg(9, 9, 9))
    shown.answers(1)
    compare(shown, "side", Zoom="4")
    lens = box(shown, ".byoc-preview-figure-input .byoc-preview-lens")
    shown.page.mouse.move(lens["x"], lens["y"] + lens["height"] / 2)
    for name in ("input", "output"):
        seen, enlarged = (
            box(shown, f".byoc-preview-figure-{name} {part}") for part in (".byoc-preview-lens", "canvas")
        )
        assert enlarged["width"] == pytest.approx(4 * seen["width"])
        assert enlarged["x"] == pytest.approx(seen["x"], abs=1)


def test_a_double_click_fills_the_screen_and_another_leaves_it(shown):
    compare(shown, "side")
    canvas = shown.page.locator(".byoc-preview-input")
    for is_full in (True, False):
        canvas.dblclick()
        shown.wait_until("isFull => Boolean(document.fullscreenElement) === isFull", is_full)


def test_pictures_stand_below_each_other_where_there_is_little_room(shown):
    compare(shown, "side")
    shown.page.set_viewport_size({"width": 380, "height": 800})
    before, after = box(shown, ".byoc-preview-figure-input"), box(shown, ".byoc-preview-figure-output")
    assert after["y"] > before["y"]
    source = box(shown, ".byoc-preview-source")
    assert source["x"] + source["width"] <= 380


def test_a_few_numbers_are_shown_and_the_others_on_demand(shown):
    compare(shown, "side")
    shown.receive({"kind": "status", "status": STATUS})
    numbers = shown.page.locator(".byoc-preview-number")
    assert [number.is_visible() for number in numbers.all()] == [True, False]
    assert numbers.first.get_attribute("title") == "Frames a second"
    shown.page.get_by_role("button", name="More numbers").click()
    assert numbers.last.is_visible()
    shown.page.get_by_role("button", name="Fewer numbers").click()
    assert not numbers.last.is_visible()


def test_a_long_error_leaves_its_button_in_sight(shown):
    compare(shown, "side")
    shown.receive_pair(1, jpeg(9, 9, 9, size=(640, 360)), jpeg(9, 9, 9, size=(640, 360)))
    shown.answers(1)
    error = {"text": "ValueError: " + "a long message " * 200, "times": "", "trace": "line\n" * 50, "is_case": True}
    shown.receive({"kind": "status", "status": {**STATUS, "error": error}})
    panel, save = (box(shown, part) for part in (".byoc-preview-error", ".byoc-preview-error button"))
    assert save["y"] + save["height"] <= panel["y"] + panel["height"]
    assert panel["height"] <= box(shown, ".byoc-preview-pictures")["height"]


def tell_notice(shown, notice, *, is_warning):
    shown.receive({"kind": "status", "status": {**STATUS, "notice": notice, "is_warning": is_warning}})


def is_quiet(shown):
    return "byoc-preview-quiet" in shown.page.locator(".byoc-preview-notice").get_attribute("class")


def test_the_end_of_a_live_source_is_no_alarm(shown):
    tell_notice(shown, "a has ended", is_warning=False)
    assert is_quiet(shown)


def test_only_a_warning_has_the_colour_of_one(shown):
    tell_notice(shown, "golden/tint has 1 frame now", is_warning=False)
    assert is_quiet(shown)
    tell_notice(shown, "there is no clip nowhere.mp4", is_warning=True)
    assert not is_quiet(shown)


def test_after_a_switch_the_source_says_what_plays(shown):
    shown.receive({"kind": "status", "status": STATUS})
    field = shown.page.get_by_label("Source")
    field.fill("nowhere.mp4")
    field.press("Enter")
    shown.receive({"kind": "status", "status": {**STATUS, "number": 2, "notice": "there is no clip nowhere.mp4"}})
    assert field.input_value() == "first.mp4"
    assert field.get_attribute("title").startswith("first.mp4\n")


def test_what_is_no_picture_is_answered_and_the_next_is_drawn(shown):
    shown.receive_pair(1, jpeg(200, 0, 0), b"no picture")
    shown.receive_pair(2, jpeg(0, 200, 0), jpeg(0, 0, 200))
    assert shown.answers(2) == {1: False, 2: True}
    assert is_near(shown.colour("output"), 0, 0, 200)


def test_of_many_at_once_the_newest_is_drawn_and_all_are_answered(shown):
    shown.receive_at_once([jpeg(20 * n, 0, 0, size=(640, 480)) for n in range(10)])
    drawn = shown.answers(10)
    assert sorted(drawn) == list(range(10))
    assert drawn[9]
    assert not all(drawn.values())
    assert is_near(shown.colour("output"), 180, 0, 0)


# From here on a repaint comes when the test says so, and how many pictures were decoded is known.
BY_HAND = """() => {
  let wanted = null;
  window.requestAnimationFrame = (callback) => (wanted = callback);
  window.repaint = () => {
    const callback = wanted;
    wanted = null;
    callback?.();
  };
  const decode = createImageBitmap;
  window.decoded = 0;
  window.createImageBitmap = async (blob) => {
    const bitmap = await decode(blob);
    setTimeout(() => decoded++);
    return bitmap;
  };
}"""


def receive_one_by_one(shown, count):
    shown.page.evaluate(BY_HAND)
    for number in range(count):
        shown.receive_pair(number, jpeg(50 * number, 0, 0), jpeg(9, 9, 9))
        shown.wait_until("count => decoded === count", 2 * (number + 1))


def test_pairs_that_wait_are_drawn_in_repaints_of_their_own(shown):
    shown.page.evaluate("() => { performance.now = () => 1; }")  # none gets too old
    receive_one_by_one(shown, 3)
    for number in range(3):
        shown.page.evaluate("repaint()")
        assert shown.answers(number + 1) == dict.fromkeys(range(number + 1), True)
        assert is_near(shown.colour("input"), 50 * number, 0, 0)


def test_after_a_late_repaint_the_newest_alone_is_drawn(shown):
    receive_one_by_one(shown, 3)
    shown.page.wait_for_timeout(50)  # too old is what waited for 40 ms
    shown.page.evaluate("repaint()")
    assert shown.answers(3) == {0: False, 1: False, 2: True}


def test_of_more_than_three_that_wait_the_oldest_is_left_out(shown):
    shown.page.evaluate("() => { performance.now = () => 1; }")
    receive_one_by_one(shown, 4)
    assert shown.answers(1) == {0: False}


def test_a_hidden_page_draws_without_repaints(shown):
    receive_one_by_one(shown, 2)
    shown.page.evaluate("() => Object.defineProperty(document, 'hidden', { value: true })")
    shown.receive_pair(2, jpeg(9, 9, 9))
    assert shown.answers(3) == {0: False, 1: False, 2: True}
    shown.receive_pair(3, jpeg(9, 9, 9))
    assert shown.answers(4)[3]


def test_what_is_not_asked_for_at_once_is_answered_together(shown):
    shown.receive_at_once([jpeg(9, 9, 9)] * 3, is_asked=False)
    assert sorted(shown.answers(3)) == [0, 1, 2]
    assert len(shown.sent("ack")) < 3


def test_how_old_a_cameras_picture_is_when_it_is_drawn_is_reported(shown):
    now = shown.page.evaluate("performance.timeOrigin + performance.now()")
    shown.receive_pair(1, jpeg(9, 9, 9), captured_ms=now - 500)
    [ack] = shown.wait_for("ack")
    assert ack["pictures"][0]["glass_ms"] >= 500


def test_a_view_that_was_left_answers_no_more(shown):
    shown.receive_pair(1, jpeg(9, 9, 9))
    shown.answers(1)
    shown.page.evaluate("leave()")
    shown.receive_pair(2, jpeg(9, 9, 9))
    shown.page.wait_for_timeout(200)
    assert shown.answers(1) == {1: True}
    assert shown.page.locator(".byoc-preview").count() == 0


def test_a_status_that_comes_late_is_not_shown_over_a_newer_one(shown):
    shown.receive({"kind": "status", "status": {**STATUS, "number": 5, "notice": "newer"}})
    shown.receive({"kind": "status", "status": {**STATUS, "number": 4, "notice": "older"}})
    assert shown.page.locator(".byoc-preview-notice").inner_text() == "newer"


def test_an_error_is_read_out_once_though_it_comes_again(shown):
    shown.page.evaluate(
        """() => {
          window.changes = 0;
          const alert = document.querySelector("[role=alert]");
          const watcher = new MutationObserver((all) => (changes += all.length));
          watcher.observe(alert, { subtree: true, childList: true, characterData: true });
        }"""
    )
    for number in range(1, 5):
        error = {
            "text": "cell 1, line 2: ValueError",
            "times": f"{number} times so far",
            "trace": "a trace",
            "is_case": True,
        }
        shown.receive({"kind": "status", "status": {**STATUS, "number": number, "error": error}})
    assert shown.page.locator(".byoc-preview-times").inner_text() == "4 times so far"
    assert shown.page.evaluate("changes") == 1


def test_a_source_is_asked_for_once_by_enter_and_by_leaving_the_field(shown):
    shown.receive({"kind": "status", "status": STATUS})
    field = shown.page.get_by_label("Source")
    field.fill("second.mp4")
    field.press("Enter")
    field.blur()
    assert shown.commands == [("source", "second.mp4")]
    field.fill("third.mp4")
    field.blur()
    assert shown.commands[1:] == [("source", "third.mp4")]


def test_enter_on_the_source_as_it_stands_opens_it_again(shown):
    shown.receive({"kind": "status", "status": STATUS})
    field = shown.page.get_by_label("Source")
    field.press("Enter")
    assert shown.commands == [("source", None)]
    assert field.input_value() == "first.mp4"


def test_a_status_leaves_what_is_being_typed(shown):
    shown.receive({"kind": "status", "status": STATUS})
    field = shown.page.get_by_label("Source")
    field.fill("sec")
    shown.receive({"kind": "status", "status": {**STATUS, "number": 2}})
    assert field.input_value() == "sec"


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("Space", ("pause", None)),
        ("ArrowLeft", ("step", -1)),
        ("ArrowRight", ("step", 1)),
        ("Shift+ArrowRight", ("step", 10)),
    ],
)
def test_keys_play_and_step(shown, key, command):
    shown.receive_pair(1, jpeg(9, 9, 9), status=STATUS)
    shown.answers(1)
    shown.page.locator(".byoc-preview").press(key)
    assert shown.commands == [command]


def test_plain_keys_stay_in_the_preview_and_jupyterlabs_own_do_not(shown):
    shown.page.evaluate("window.heard = []; document.addEventListener('keydown', ({ key }) => heard.push(key))")
    preview = shown.page.locator(".byoc-preview")
    for key in ("d", "Shift+Enter", "Control+s"):
        preview.press(key)
    assert [key for key in shown.page.evaluate("heard") if key not in ("Shift", "Control")] == ["Enter", "s"]


def test_a_live_source_cannot_be_stepped(shown):
    shown.receive_pair(1, jpeg(9, 9, 9), position=None)
    shown.answers(1)
    shown.page.locator(".byoc-preview").press("ArrowRight")
    assert shown.commands == []
    assert shown.page.get_by_role("button", name="Step forward").is_disabled()


def test_the_camera_sends_as_many_pictures_as_the_kernel_allows(shown):
    shown.receive({"kind": "camera", "on": True, "turn": 4})
    frames = shown.wait_for("camera-frame", 2)
    assert {frame["turn"] for frame in frames} == {4}
    assert min(frame["bytes"] for frame in frames) > 1000
    shown.page.wait_for_timeout(300)
    assert len(shown.sent("camera-frame")) == 2
    shown.receive({"kind": "camera-more", "page": "another tab"})
    shown.page.wait_for_timeout(300)
    assert len(shown.sent("camera-frame")) == 2
    shown.receive({"kind": "camera-more", "page": frames[0]["page"]})
    shown.wait_for("camera-frame", 3)


# Each stream that the browser gave, so that a test sees which of them still runs.
KEEP_STREAMS = """() => {
  window.streams = [];
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wishes) => {
    const stream = await real(wishes);
    streams.push(stream);
    return stream;
  };
}"""
RUNNING = "streams.map((stream) => stream.active)"


def test_a_camera_that_is_asked_for_twice_is_let_go_by_the_first(shown):
    shown.page.evaluate(KEEP_STREAMS)
    shown.page.evaluate("[1, 2].forEach((turn) => receive({ kind: 'camera', on: true, turn }))")
    assert {frame["turn"] for frame in shown.wait_for("camera-frame", 2)} == {2}
    assert shown.page.evaluate(RUNNING) == [False, True]
    shown.receive({"kind": "camera", "on": False, "turn": 1})
    assert shown.page.evaluate(RUNNING) == [False, True]
    shown.receive({"kind": "camera", "on": False, "turn": 2})
    assert shown.page.evaluate(RUNNING) == [False, False]


@pytest.mark.parametrize("end", ["leave()", "forget()"])
def test_the_camera_goes_with_the_view_and_with_the_model(shown, end):
    shown.page.evaluate(KEEP_STREAMS)
    shown.receive({"kind": "camera", "on": True, "turn": 1})
    shown.wait_for("camera-frame")
    shown.page.evaluate(end)
    assert shown.page.evaluate(RUNNING) == [False]


@pytest.mark.parametrize(
    ("error", "reason"),
    [("NotAllowedError", "denied"), ("NotFoundError", "missing"), ("NotReadableError", "busy"), ("TypeError", "other")],
)
def test_a_refused_camera_says_why(shown, error, reason):
    shown.page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('why', name); } }", error
    )
    shown.receive({"kind": "camera", "on": True, "turn": 3})
    [refused] = shown.wait_for("camera-refused")
    assert (refused["turn"], refused["reason"], refused["detail"]) == (3, reason, f"{error}: why")


def test_a_camera_that_was_pulled_out_says_so(shown):
    shown.page.evaluate(KEEP_STREAMS)
    shown.receive({"kind": "camera", "on": True, "turn": 1})
    shown.wait_for("camera-frame")
    shown.page.evaluate("streams[0].getVideoTracks()[0].dispatchEvent(new Event('ended'))")
    [refused] = shown.sent("camera-refused")
    assert refused["reason"] == "ended"
    assert shown.page.evaluate(RUNNING) == [False]


def test_a_camera_that_the_kernel_allows_nothing_any_more_is_stopped(shown):
    shown.page.evaluate(KEEP_STREAMS)
    shown.receive({"kind": "camera", "on": True, "turn": 1})
    shown.wait_for("camera-frame", 2)
    shown.page.evaluate("() => { const late = performance.now() + 11000; performance.now = () => late; }")
    [refused] = shown.wait_for("camera-refused")
    assert refused["reason"] == "ended"
    assert shown.page.evaluate(RUNNING) == [False]


def test_a_page_that_is_not_secure_has_no_camera(page):
    shown = opened(page, PLAIN)
    shown.receive({"kind": "camera", "on": True, "turn": 1})
    [refused] = shown.wait_for("camera-refused")
    assert refused["reason"] == "insecure"


def test_the_last_printed_line_is_in_sight_unless_somebody_scrolled_back(shown):
    def tell(last):
        text = "\n".join(f"line {number}" for number in range(last))
        shown.receive(
            {"kind": "status", "status": {**STATUS, "number": last, "printed": {"head": "Printed", "text": text}}}
        )

    printed = shown.page.locator(".byoc-preview-printed")
    shown.receive({"kind": "status", "status": {**STATUS, "number": 2}})
    assert not printed.is_visible()
    tell(50)
    assert printed.is_visible()
    left = "document.querySelector('.byoc-preview-printed pre')"
    assert shown.page.evaluate(f"{left}.scrollTop + {left}.clientHeight >= {left}.scrollHeight - 4")
    shown.page.evaluate(f"{left}.scrollTop = 0")
    tell(60)
    assert shown.page.evaluate(f"{left}.scrollTop") == 0
