from byoc_kit.jupyter.preview.front_end import FrontEnd, Pictures


def made():
    """Return a widget, what talks to it, and the messages that it hears."""
    pictures, heard = Pictures(), []
    return pictures, FrontEnd(pictures, lambda content, data: heard.append((content, data))), heard


def test_a_pair_goes_in_one_message_with_its_number(front_end):
    pictures, talker, _ = made()
    talker.show(talker.ack_window.take(), [b"left", b"right"], {"status": None})
    pictures.close()
    assert front_end.sent == [({"kind": "pair", "number": 0, "asked": True, "status": None}, [b"left", b"right"])]


def test_an_answer_frees_the_window_and_is_passed_on(front_end):
    front_end.answers = False
    pictures, talker, heard = made()
    slots = []
    while (slot := talker.ack_window.take()) is not None:
        slots.append(slot)
    front_end.ack(pictures, slots[-1].number)
    assert talker.ack_window.take() is not None
    assert [content["kind"] for content, _ in heard] == ["ack"]
    pictures.close()


def test_a_message_comes_with_its_first_buffer_until_it_is_closed(front_end):
    pictures, talker, heard = made()
    pictures._handle_custom_msg({"kind": "camera-frame"}, [memoryview(b"jpeg")])
    talker.close()
    pictures._handle_custom_msg({"kind": "camera-frame"}, [memoryview(b"late")])
    pictures.close()
    assert heard == [({"kind": "camera-frame"}, b"jpeg")]


def test_the_page_gets_all_scripts_and_styles():
    for part in ("class Pair", "class View", "class Camera", "export default"):
        assert part in Pictures._esm
    for part in (".byoc-preview-pictures", ".byoc-preview-notice"):
        assert part in Pictures._css
