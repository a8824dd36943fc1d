from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from preview_rig import invert

from byoc_kit.jupyter.preview.camera import Camera


def send_camera_frame(live, level, *, captured_ms=1, turn=None):
    """Do as the browser's camera, asked for last or in an earlier turn."""
    buffer = BytesIO()
    Image.fromarray(np.full((48, 64, 3), level, np.uint8)).save(buffer, "JPEG")
    turn = turn or live._camera._turn
    message = {"kind": "camera-frame", "turn": turn, "captured_ms": captured_ms}
    live._pictures._handle_custom_msg(message, [memoryview(buffer.getvalue())])


def test_the_browsers_camera_plays(make_live, front_end, means):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])
    send_camera_frame(live, 77, captured_ms=4321)
    front_end.wait_for(lambda content: content["kind"] == "camera-more")
    pair = front_end.wait_for(lambda content: content.get("captured_ms") == 4321)
    assert means(pair) == pytest.approx([77, 178], abs=3)
    front_end.command(live, "source", "synthetic")
    front_end.wait_for(lambda content: content["kind"] == "camera" and not content["on"])


@pytest.mark.parametrize(
    ("reason", "said"),
    [("insecure", "https"), ("denied", "site settings"), ("missing", "no camera"), ("busy", "another program")],
)
def test_why_there_is_no_camera_is_reported(make_live, front_end, reason, said):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])
    refused = {"kind": "camera-refused", "turn": live._camera._turn, "reason": reason, "detail": ""}
    live._pictures._handle_custom_msg(refused, [])
    status = front_end.wait_for_status(lambda status: said in status["notice"])
    assert status["error"] is None
    assert status["state"]["source"].endswith("clip.mp4")
    front_end.sent.clear()
    live._pictures._handle_custom_msg({"kind": "ready"}, [])  # the page was loaded anew
    assert "camera" not in {content["kind"] for content, _ in front_end.sent}


@pytest.fixture
def webcam_twice(make_live, front_end):
    """A preview that plays the webcam and is asked for it again, and both turns."""
    live = make_live(invert, "webcam")
    live.play()
    first = front_end.wait_for(lambda content: content["kind"] == "camera")[0]["turn"]
    send_camera_frame(live, 20)
    front_end.wait_for_pair(lambda before, _: before == pytest.approx(20, abs=3))
    front_end.command(live, "source", "webcam")
    second = front_end.wait_for(lambda content: content["kind"] == "camera" and content["turn"] != first)[0]["turn"]
    return live, first, second


def test_a_camera_that_is_refused_when_it_is_chosen_again_has_ended(webcam_twice, front_end):
    live, _, second = webcam_twice
    refused = {"kind": "camera-refused", "turn": second, "reason": "busy", "detail": ""}
    live._pictures._handle_custom_msg(refused, [])
    status = front_end.wait_for_status(lambda status: status["error"])
    assert status["error"]["text"] == ("the browser's camera could not be restarted; choose webcam again, or a clip")
    assert not status["state"]["is_playing"]
    front_end.wait_for_status(lambda status: "another program uses the camera" in status["notice"])


def test_the_camera_chosen_again_is_not_let_go_by_the_one_before(webcam_twice, front_end):
    live, first, second = webcam_twice
    send_camera_frame(live, 60, turn=first)  # it was on its way
    send_camera_frame(live, 100, turn=second)
    front_end.wait_for_pair(lambda before, _: before == pytest.approx(100, abs=3))
    front_end.wait_for(lambda content: content == {"kind": "camera", "on": False, "turn": first})
    assert not any(content.get("on") is False and content["turn"] == second for content, _ in front_end.sent)


def test_of_two_pages_the_first_that_sends_a_picture_counts():
    sent = []
    camera = Camera(sent.append)
    frames = camera.frames()
    buffer = BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    camera.receive({"turn": camera._turn, "captured_ms": 1, "page": "a"}, buffer.getvalue())
    assert next(frames).pts == 1  # from here on the pages are asked
    for page in "aba":
        camera.receive({"turn": camera._turn, "captured_ms": ord(page), "page": page}, buffer.getvalue())
    camera.receive({"turn": camera._turn, "reason": "denied", "page": "b"}, None)
    assert next(frames).pts == ord("a")
    assert {content["page"] for content in sent if content["kind"] == "camera-more"} == {"a"}
    camera.resume()  # the first page was loaded anew
    camera.receive({"turn": camera._turn, "captured_ms": ord("c"), "page": "c"}, buffer.getvalue())
    assert next(frames).pts == ord("c")


def test_a_camera_that_sends_no_pictures_is_reported(make_live, front_end):
    live = make_live(invert)
    live.play()
    front_end.command(live, "source", "webcam")
    turn = front_end.wait_for(lambda content: content["kind"] == "camera" and content["on"])[0]["turn"]
    live._pictures._handle_custom_msg({"kind": "camera-frame", "turn": turn, "captured_ms": 1}, [memoryview(b"none")])
    front_end.wait_for_status(
        lambda status: "camera does not work: it sent something that is not a JPEG" in status["notice"]
    )


def test_a_camera_picture_that_a_newer_one_replaces_lets_another_follow():
    sent = []
    camera = Camera(sent.append)
    frames = camera.frames()
    buffer = BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    for captured_ms in (1, 2):
        camera.receive({"turn": camera._turn, "captured_ms": captured_ms}, buffer.getvalue())
    assert next(frames).pts == 2
    assert [content["kind"] for content in sent].count("camera-more") == 2
