from byoc_kit.jupyter.preview.status import StatusBoard


def test_news_is_what_was_not_said_yet():
    said = {"fps": 30}
    board = StatusBoard(lambda: dict(said))
    assert board.take() == {"number": 1, "fps": 30}
    assert board.news() is None
    said["fps"] = 0
    news = board.news()
    assert news["fps"] == 0
    assert news["number"] > 1
    assert board.news() is None
