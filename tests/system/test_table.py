from byoc_kit.system.table import aligned


def test_columns_are_padded_to_their_widest():
    assert aligned([("a", "1", "x"), ("bcd", "10", "y")], right={1}) == ["a     1  x", "bcd  10  y"]


def test_a_column_on_the_right_is_padded_at_the_end_of_a_row_too():
    assert aligned([["a", "1"], ["bcd", "10"]], right={1}) == ["a     1", "bcd  10"]


def test_the_last_text_of_a_row_widens_no_column():
    rows = [("notebook", "10 of 10", "equal"), ("server", "not run, since the module does not load")]
    assert aligned(rows) == ["notebook  10 of 10  equal", "server    not run, since the module does not load"]


def test_a_long_text_shifts_its_own_row_alone():
    assert aligned([("a", "long" * 3, "x"), ("b", "brief", "y")], widest=6) == ["a  longlonglong  x", "b  brief  y"]


def test_empty_texts_at_the_end_leave_no_spaces():
    assert aligned([("a", ""), ("bcd", "e")]) == ["a", "bcd  e"]
    assert aligned([]) == []
