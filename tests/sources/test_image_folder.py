from itertools import islice

import numpy as np
import pytest
from PIL import Image

from byoc_kit.media.demux import MediaError
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import is_clip_source

SIZE = (64, 48)
ORIENTATION = 0x0112


def save(path, level=128, size=SIZE, **options):
    Image.new("RGB", size, (level, level, level)).save(path, **options)
    return path


def levels(source):
    return [round(float(frame.pixels.mean())) for frame in source.frames()]


def test_pictures_come_in_the_order_that_people_count_in(tmp_path):
    for number, name in enumerate(["a1.png", "a2.PNG", "a10.bmp", "b1.tif", "b03.png", "b20.webp"]):
        save(tmp_path / name, 40 * number, **({"lossless": True} if name.endswith("webp") else {}))
    save(tmp_path / ".hidden.png", 255)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    assert levels(open_source(tmp_path)) == [0, 40, 80, 120, 160, 200]


def test_a_folder_is_a_clip_source_at_25_frames_a_second(tmp_path):
    for number in range(5):
        save(tmp_path / f"{number}.png", 10 * number)
    source = open_source(str(tmp_path))
    assert is_clip_source(source)
    assert (source.name, source.count, source.fps) == (f"{tmp_path.name}/ (5 pictures)", 5, 25.0)
    assert [source.time_s(number) for number in (0, 1, 5, 9)] == pytest.approx([0, 0.04, 0.2, 0.2])
    assert [frame.time_s for frame in source.frames(3)] == pytest.approx([0.12, 0.16])
    assert ImageFolder(tmp_path, fps=29.97).time_s(5) == pytest.approx(5 / 29.97, rel=1e-4)


@pytest.mark.parametrize("number", [-1, 2])
def test_a_frame_that_is_not_there_is_refused_at_once(tmp_path, number):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    with pytest.raises(IndexError, match=f"there is no frame {number}; the frames are 0 to 1"):
        ImageFolder(tmp_path).frames(number)


def test_another_size_is_fitted_to_the_first_with_bars(tmp_path):
    save(tmp_path / "1.png", 200)
    save(tmp_path / "2.png", 200, size=(200, 48))
    save(tmp_path / "3.png", 200, size=(24, 48))
    first, wide, narrow = (frame.pixels for frame in ImageFolder(tmp_path).frames())
    assert first.shape == wide.shape == narrow.shape == (48, 64, 3)
    assert (wide[0] == 0).all()
    assert (wide[24] == 200).all()
    assert (narrow[:, 0] == 0).all()
    assert (narrow[:, 32] == 200).all()


def test_a_camera_s_rotation_is_honoured(tmp_path):
    image = Image.new("RGB", SIZE)
    image.paste((255, 255, 255), (0, 0, 64, 24))
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees, clockwise
    image.save(tmp_path / "1.jpg", exif=exif, quality=95)
    [frame] = ImageFolder(tmp_path).frames()
    assert frame.pixels.shape == (64, 48, 3)
    assert frame.pixels[:, -10:].min() > 240
    assert frame.pixels[:, :10].max() < 15


def test_transparent_parts_are_black_and_palettes_and_16_bits_are_read(tmp_path):
    Image.new("RGBA", SIZE, (255, 255, 255, 0)).save(tmp_path / "1.png")
    Image.new("LA", SIZE, (200, 255)).save(tmp_path / "2.png")
    Image.new("RGB", SIZE, (0, 120, 0)).quantize(2).save(tmp_path / "3.png")
    Image.fromarray(np.full((48, 64), 100 << 8, np.uint16)).save(tmp_path / "4.png")
    Image.new("1", SIZE, 1).save(tmp_path / "5.png")
    pixels = [tuple(frame.pixels[10, 10].tolist()) for frame in ImageFolder(tmp_path).frames()]
    assert pixels == [(0, 0, 0), (200, 200, 200), (0, 120, 0), (100, 100, 100), (255, 255, 255)]


def test_what_is_written_into_a_frame_is_in_no_other(tmp_path):
    save(tmp_path / "1.png", 90)
    source = ImageFolder(tmp_path)
    next(source.frames()).pixels[:] = 0
    assert levels(source) == [90]


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "half"])
def test_a_damaged_picture_is_named_when_its_turn_comes(tmp_path, content):
    save(tmp_path / "1.png")
    half = save(tmp_path / "2.png", size=(640, 480)).read_bytes()[:300]
    (tmp_path / "2.png").write_bytes(half if content is None else content)
    frames = ImageFolder(tmp_path).frames()
    next(frames)
    with pytest.raises(MediaError, match=r"2\.png cannot be read as a picture \(.+\); repair it or remove it from the"):
        next(frames)


def test_a_damaged_first_picture_is_named_at_once(tmp_path):
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"1\.png cannot be read as a picture"):
        open_source(tmp_path)


def test_a_picture_that_is_a_bomb_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    save(tmp_path / "1.png")
    with pytest.raises(MediaError, match=r"1\.png cannot be read as a picture \(Image size"):
        open_source(tmp_path)


def test_a_folder_without_pictures_is_named_with_what_to_put_there(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(MediaError) as raised:
        open_source(tmp_path)
    assert str(raised.value) == (
        f"there is no picture in the folder {tmp_path}; put some there (bmp, jpeg, jpg, png, tif, tiff or webp)"
    )


def test_ten_thousand_pictures_open_without_being_read(tmp_path):
    save(tmp_path / "0.png")
    for number in range(1, 10_000):
        (tmp_path / f"{number}.png").touch()
    source = open_source(tmp_path)
    assert source.count == 10_000
    assert len(list(islice(source.frames(), 1))) == 1
