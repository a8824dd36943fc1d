from byoc_kit.sources.suggestions import suggestions

ALWAYS = ["synthetic:bars", "synthetic:ball", "synthetic:ramp", "synthetic:noise", "webcam"]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_videos_folders_of_images_patterns_and_the_webcam_are_suggested(tmp_path):
    touch(tmp_path, "b.mp4", "a.MOV", "notes.ipynb", ".hidden.mp4", "clips/z.webm", "clips/README.md")
    touch(tmp_path, "images/1.png", "clips/stills/2.jpg", "docs/readme.txt", ".cache/3.png", "__pycache__/4.png")
    expected = ["a.MOV", "b.mp4", "clips/z.webm", "clips/stills/", "images/", *ALWAYS]
    assert suggestions(tmp_path) == expected
    assert suggestions(str(tmp_path)) == expected


def test_typescript_is_no_video(tmp_path):
    (tmp_path / "page.ts").write_text("const a = 1")
    (tmp_path / "stream.ts").write_bytes(b"G" + bytes(187))
    assert suggestions(tmp_path) == ["stream.ts", *ALWAYS]


def test_thirty_are_suggested_at_most_with_all_patterns_and_the_webcam(tmp_path):
    touch(tmp_path, *(f"{number:05}.mp4" for number in range(5000)), "images/1.png")
    found = suggestions(tmp_path)
    assert len(found) == 30
    assert found[:2] == ["00000.mp4", "00001.mp4"]
    assert found[-5:] == ALWAYS


def test_a_folder_that_is_not_there_has_the_patterns_and_the_webcam_alone(tmp_path):
    assert suggestions(tmp_path / "nowhere") == ALWAYS
    touch(tmp_path, "a.mp4")
    assert suggestions(tmp_path / "a.mp4") == ALWAYS
