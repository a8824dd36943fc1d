import tracemalloc

from byoc_kit.system.log_tail import Tail


def fed(*pieces, lines=12):
    tail = Tail(lines)
    for piece in pieces:
        tail.feed(piece)
    return tail


def test_the_last_lines_are_kept_the_unfinished_one_among_them():
    assert fed(b"a\nb\nc\nd", lines=3).lines == ["b", "c", "d"]
    assert fed(b"a\nb\nc\n", lines=3).lines == ["a", "b", "c"]


def test_a_character_may_come_in_two_pieces():
    assert fed("gr\u00fcn".encode()[:3], "gr\u00fcn".encode()[3:]).lines == ["gr\u00fcn"]


def test_what_is_no_utf_8_is_replaced():
    assert fed(b"a\xffb\n").lines == ["a\ufffdb"]


def test_colours_titles_and_links_are_left_out():
    assert fed(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07and \x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\\n").lines == [
        "red and link"
    ]


def test_other_control_characters_are_written_out():
    assert fed(b"bell\x07\n").lines == ["bell\\x07"]


def test_a_progress_bar_shows_its_last_state():
    assert fed(b"10 %\r50 %\r", b"99 %\r").lines == ["99 %"]
    assert fed(b"10 %\r50 %\r\ndone\r\n").lines == ["50 %", "done"]


def test_a_long_line_is_cut():
    assert fed(b"x" * 1000 + b"\n").lines == ["x" * 300 + " ..."]


def test_memory_stays_bounded_whatever_comes():
    tail = Tail()
    chunk = b"y" * 65536
    tail.feed(chunk)
    tracemalloc.start()
    for _ in range(500):
        tail.feed(chunk)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 65536
    assert len(tail.lines) == 1


def test_the_commands_own_error_is_kept_though_much_follows():
    tail = fed(b"byoc-kit: there is no notebook x\n", b"more\n" * 50)
    assert tail.last == "there is no notebook x"


def test_an_error_that_tells_of_another_program_has_its_last_line():
    assert fed(b"byoc-kit: docker build ended; its last lines:\nStep 1\nno space left\n").last == (
        "docker build ended; its last lines: no space left"
    )


def test_without_an_error_of_its_own_the_last_line_counts_but_for_the_reports_place():
    assert fed(b"falls short: frames\nreport: reports/x/report.html\n\n").last == "falls short: frames"
    assert fed().last == ""
