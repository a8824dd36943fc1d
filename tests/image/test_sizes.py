import pytest

from byoc_kit.image.engine import ImageError
from byoc_kit.image.sizes import Part, Sizes, check_size, measure, parse_size, table

SIZES = Sizes(
    1_336_000_000,
    (Part(216_832_616, "the base image"), Part(0, "USER byoc"), Part(1_119_167_384, "COPY files in /opt/venv/")),
    (Part(756_576_024, "torch"), Part(118_167_485, "av"), *(Part(1_000_000, f"small{n}") for n in range(10))),
)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1.0GB", 10**9), ("900 MB", 9 * 10**8), ("23 kB", 23_000), ("0 B", 0), ("217", 217), ("1.5g", 15 * 10**8)],
)
def test_a_size_is_read_as_a_person_and_as_an_engine_writes_it(text, size):
    assert parse_size(text.replace("g", "G")) == size


@pytest.mark.parametrize("text", ["", "big", "GB", "1.0.0GB", "-1GB", "1PB"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"is not a size such as 1\.0GB or 900MB"):
        parse_size(text)


def test_the_table_has_layers_with_a_size_and_the_largest_packages():
    assert table(SIZES)[:8] == [
        "    size  layer",
        "216.8 MB  the base image",
        " 1.12 GB  COPY files in /opt/venv/",
        " 1.34 GB  the image",
        "",
        "    size  package",
        "756.6 MB  torch",
        "118.2 MB  av",
    ]
    assert table(SIZES)[-1] == "  2.0 MB  2 other packages"


def test_an_image_that_is_too_large_is_said_with_what_makes_it_so():
    check_size("a:1", SIZES, 1_336_000_000)
    with pytest.raises(ImageError) as caught:
        check_size("a:1", SIZES, 10**9)
    assert str(caught.value) == (
        "a:1 is 1.34 GB, more than the 1.00 GB of --max-size; its largest packages are torch 756.6 MB, av 118.2 MB, "
        "small0 1.0 MB; leave out what the notebook can do without, or allow more"
    )


def test_what_an_engine_says_of_an_image_is_read(fake_engine):
    made_by = "/bin/sh -c #(nop) COPY dir:" + "0f" * 32 + " in /opt/venv/ "
    fake_engine(
        f"""case "$1" in
        image) echo 300;;
        history) printf '100\\t{made_by}\\n200 B\\t\\n';;
        run) printf '7 av\\n40 torch\\n';;
        esac""",
        name="podman",
    )
    assert measure("podman", "a:1") == Sizes(
        300,
        (Part(200, "the base image"), Part(100, "COPY files in /opt/venv/")),
        (Part(40, "torch"), Part(7, "av")),
    )


def test_an_engine_that_does_not_say_the_sizes_is_reported(fake_engine):
    fake_engine("echo broken >&2; exit 3")
    with pytest.raises(ImageError, match="docker image ended with exit code 3: broken; the image is built, its size"):
        measure("docker", "a:1")
