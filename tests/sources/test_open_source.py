import asyncio
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from PIL import Image
from server_rig import rig  # noqa: F401  # a fixture
from stream_rig import FRAMES_A_SEGMENT, SEGMENTS, STEP
from stream_rig import numbers as numbers_of_segments
from trickle_rig import Wire, until
from web_rig import DEADLINE_S, Silent, served

from byoc_kit.media.clip import Clip
from byoc_kit.media.demux import MediaError
from byoc_kit.network.serving import serving
from byoc_kit.sources import open_source as open_module
from byoc_kit.sources import trickle_video
from byoc_kit.sources.image_folder import ImageFolder
from byoc_kit.sources.network_video import NetworkVideo
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import WEBCAM, is_clip_source
from byoc_kit.sources.suggestions import suggestions
from byoc_kit.sources.synthetic import Synthetic
from byoc_kit.trickle import connection
from byoc_kit.trickle.channels import Channels
from byoc_kit.trickle.server import create_app

NEXT_STEP = "give the path of a video file, a folder of images, a URL, or synthetic:bars"


def test_a_path_a_folder_a_pattern_and_a_url_each_give_their_source(tmp_path, clip, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    monkeypatch.chdir(tmp_path)
    for source, kind in {
        clip: Clip,
        str(clip): Clip,
        tmp_path: ImageFolder,
        ".": ImageFolder,
        "synthetic": Synthetic,
        "synthetic:noise": Synthetic,
        "rtsp://camera/live": NetworkVideo,
        "RTMP://host/live": NetworkVideo,
        "udp://127.0.0.1:1234": NetworkVideo,
        "srt://host:9000": NetworkVideo,
    }.items():
        opened = open_source(source)
        assert type(opened) is kind
        assert is_clip_source(opened) is (kind is not NetworkVideo)


def test_a_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_source("~").count == 1


def test_what_is_suggested_can_be_opened_but_for_the_webcam(tmp_path, clip, monkeypatch):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "bunny.mp4").symlink_to(clip)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "1.png")
    monkeypatch.chdir(tmp_path)
    assert [open_source(name).name for name in suggestions(".") if name != WEBCAM] == [
        "bunny.mp4",
        "images/ (1 picture)",
        "bars",
        "ball",
        "ramp",
        "noise",
    ]


@pytest.mark.parametrize("source", ["no.mp4", "folder/no.mp4", "bars", "C:\\clip.mp4", "synthetics"])
def test_what_is_neither_is_named_with_what_to_give(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError) as raised:
        open_source(source)
    assert str(raised.value) == f"there is no clip {source}; {NEXT_STEP}"


def test_nothing_is_refused_with_what_to_give():
    with pytest.raises(MediaError) as raised:
        open_source("")
    assert str(raised.value) == f"there is no clip to play; {NEXT_STEP}"


def test_a_scheme_that_is_not_played_is_named():
    with pytest.raises(MediaError, match=r"ftp:// cannot be played; give a URL with http, https, rtmp"):
        open_source("ftp://host/a.mp4")


def test_importing_the_package_loads_neither_a_server_nor_a_notebook():
    code = "import sys, byoc_kit.sources.open_source; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "av" in modules
    assert not {"fastapi", "uvicorn", "IPython", "ipywidgets"} & set(modules)


# What is behind a web URL


class Reading:
    """A thread that reads a source, as the preview's does."""

    def __init__(self, source):
        self.source = source
        self.numbers = []
        self.error = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            for frame in self.source.frames():
                self.numbers.append(frame.pts // STEP)
        except MediaError as error:
            self.error = str(error)

    async def end(self):
        await asyncio.to_thread(self._thread.join, DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture
async def channels():
    """The channels of a real trickle server, with their URL."""
    it = Channels()
    async with serving(create_app(channels=it)) as base:
        it.url = f"{base}/ai/trickle"
        it.create("in", "video/MP2T")
        yield it
        it.close()


async def read(url):
    source = await asyncio.to_thread(open_source, url)
    assert not is_clip_source(source)
    return Reading(source)


def nobody_reads():
    return not any(thread.name == "source-channel" for thread in threading.enumerate())


async def test_a_channel_is_played_from_its_newest_segment_to_its_end(channels):
    channel = channels.find("in")
    channel.publish(SEGMENTS[0])
    channel.publish(SEGMENTS[1])
    reading = await read(f"{channels.url}/in")
    assert reading.source.name == f"{channels.url}/in"
    await until(lambda: len(reading.numbers) >= FRAMES_A_SEGMENT - 1)
    channel.publish(SEGMENTS[2])
    await until(lambda: reading.numbers[-1:] >= [3 * FRAMES_A_SEGMENT - 2])
    channels.delete("in")
    await reading.end()
    assert reading.error is None
    assert reading.numbers == numbers_of_segments(1, 2)
    await until(nobody_reads)


async def test_closing_lets_go_of_who_waits_for_a_segment(channels):
    channel = channels.find("in")
    channel.publish(SEGMENTS[0])
    reading = await read(f"{channels.url}/in/")
    await until(lambda: reading.numbers)
    reading.source.close()
    await reading.end()
    assert reading.error is None
    await until(nobody_reads)


async def test_closing_lets_go_of_who_waits_for_the_first_byte(channels):
    reading = await read(f"{channels.url}/in")
    await until(lambda: channels.find("in")._ring)
    reading.source.close()
    await reading.end()
    assert (reading.error, reading.numbers) == (None, [])


async def test_a_source_that_was_closed_before_gives_nothing(channels):
    source = await asyncio.to_thread(open_source, f"{channels.url}/in")
    source.close()
    reading = Reading(source)
    await reading.end()
    assert (reading.error, reading.numbers) == (None, [])


async def test_leaving_in_the_middle_lets_go_of_the_channel(channels):
    channels.find("in").publish(SEGMENTS[0])
    source = await asyncio.to_thread(open_source, f"{channels.url}/in")
    frames = source.frames()
    assert (await asyncio.to_thread(next, frames)).width == 64
    await asyncio.to_thread(frames.close)
    await until(nobody_reads)


async def test_a_channel_on_which_nothing_comes_is_given_up(channels, monkeypatch):
    monkeypatch.setattr(trickle_video, "FIRST_BYTES_TIMEOUT_S", 0.2)
    reading = await read(f"{channels.url}/in")
    await reading.end()
    assert reading.error == f"nothing has come on {channels.url}/in for 0 s; start what sends to it"


async def test_a_channel_without_video_is_refused_at_its_end(channels):
    channels.create("data", "application/json")
    reading = await read(f"{channels.url}/data")
    await until(lambda: channels.find("data")._ring)
    channels.find("data").publish(b'{"no": "video"}')
    await asyncio.sleep(0)
    channels.delete("data")
    await reading.end()
    assert reading.error == (f"{channels.url}/data ended without a picture that can be decoded; choose another source")


async def test_a_channel_that_cannot_be_reached_any_more_breaks_off(channels, monkeypatch):
    monkeypatch.setattr(connection, "GIVE_UP_AFTER_S", 0.2)
    wire = Wire(urlsplit(channels.url).port)
    await wire.join()
    url = f"http://127.0.0.1:{wire.port}/ai/trickle/in"
    channels.find("in").publish(SEGMENTS[0])
    reading = await read(url)
    await until(lambda: reading.numbers)
    await wire.cut()
    await reading.end()
    assert reading.error.startswith(f"{url} broke off: ")
    assert reading.error.endswith("; choose it again when it is back")


def status(streams):
    async def answer(request):
        return web.json_response({"status": "ok", "capacity": 1, "streams": streams, "last_ended": None})

    return web.get("/stream/status", answer)


async def test_of_a_server_the_input_of_its_newest_stream_is_played(channels):
    channels.find("in").publish(SEGMENTS[3])
    streams = [
        {"stream_id": "old", "elapsed_s": 90.0, "subscribe_url": f"{channels.url}/other"},
        {"stream_id": "new", "elapsed_s": 4.0, "subscribe_url": f"{channels.url}/in"},
    ]
    async with served(status(streams)) as url:
        reading = await read(f"{url}/")
        await until(lambda: len(reading.numbers) >= FRAMES_A_SEGMENT - 1)
        assert reading.source.name == f"the input of {url}"
    channels.delete("in")
    await reading.end()
    assert reading.numbers == numbers_of_segments(3)


async def test_the_input_of_a_running_server_is_played(rig):  # noqa: F811
    async with rig(lambda frame: frame) as it:
        body = it.start_body()
        while (await it.get("/health"))[0] != 200:  # noqa: ASYNC110  # what is waited for has no event a test could see
            await asyncio.sleep(0)
        assert (await it.post("/stream/start", body))[0] == 200
        channel = it.channels.find("in")
        channel.publish(SEGMENTS[2])
        reading = await read(it.url)
        await until(lambda: len(reading.numbers) >= FRAMES_A_SEGMENT - 1)
        it.channels.delete("in")
        await reading.end()
        assert reading.numbers == numbers_of_segments(2)
        await it.until_idle()


async def test_a_server_without_a_stream_says_so(rig):  # noqa: F811
    async with rig(lambda frame: frame) as it:
        with pytest.raises(MediaError) as raised:
            await asyncio.to_thread(open_source, it.url)
        assert str(raised.value) == f"no stream runs on {it.url}; start one, then choose the server again"


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        ({"subscribe_url": None}, "does not name its input; give the URL of its trickle channel instead"),
        ({}, "does not name its input; give the URL of its trickle channel instead"),
        ({"subscribe_url": "{url}/gone"}, "is no trickle channel any more; start a stream, then choose it again"),
    ],
)
async def test_a_server_whose_stream_has_no_input_says_so(channels, stream, complaint):
    stream = {key: value and value.format(url=channels.url) for key, value in stream.items()}
    async with served(status([stream])) as url:
        with pytest.raises(MediaError) as raised:
            await asyncio.to_thread(open_source, url)
    assert str(raised.value).endswith(complaint)


@pytest.mark.parametrize("content", [[], {}, {"streams": {}}, {"streams": []}, "no", None])
async def test_a_status_of_something_else_is_no_server(content):
    async def answer(request):
        return web.json_response(content)

    async with served(web.get("/stream/status", answer)) as url:
        source = await asyncio.to_thread(open_source, f"{url}")
    assert source.name == url


async def test_an_address_may_be_opened_from_a_cell_whose_loop_runs(channels):
    # The trickle server runs on this test's loop, so the cell's is on a thread.
    source = await asyncio.to_thread(lambda: asyncio.run(open_in_a_loop(f"{channels.url}/in")))
    assert source.name == f"{channels.url}/in"


async def open_in_a_loop(url):
    return open_source(url)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(open_module, "ANSWER_TIMEOUT_S", 0.3)
    silent = Silent()
    with pytest.raises(MediaError) as raised:
        open_source(f"http://me:secret@127.0.0.1:{silent.port}/video?secret")
    silent.close()
    assert str(raised.value) == (
        f"http://127.0.0.1:{silent.port}/video did not answer within 0 s; "
        "check that it runs and can be reached from here"
    )


def test_a_name_that_is_looked_up_for_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(open_module, "ANSWER_TIMEOUT_S", 0.3)
    given_up = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: given_up.wait(DEADLINE_S) and [])
    with pytest.raises(MediaError, match=r"http://slow\.invalid/a\.mp4 did not answer within 0 s"):
        open_source("http://slow.invalid/a.mp4")
    asking = [thread for thread in threading.enumerate() if thread.name == "source-ask"]
    given_up.set()
    for thread in asking:
        thread.join(DEADLINE_S)


def test_a_port_where_nobody_is_is_named(free_port):
    with pytest.raises(
        MediaError, match=rf"http://127\.0\.0\.1:{free_port}/a\.mp4 cannot be reached \(connection refused\)"
    ):
        open_source(f"http://127.0.0.1:{free_port}/a.mp4")


def test_a_host_that_is_not_there_is_named_without_the_words_of_sockets():
    with pytest.raises(MediaError, match=r"nowhere\.invalid/a\.mp4 cannot be reached \(no host has this name\)"):
        open_source("http://nowhere.invalid/a.mp4")


@pytest.mark.parametrize("url", ["http://nowhere.invalid/a.mp4", "http://", "http://[broken", "https://a:b:c/"])
def test_a_url_that_leads_nowhere_is_named(url):
    with pytest.raises(
        MediaError, match=r"http.* cannot be reached \(.+\); check that it runs, and that the URL is right"
    ):
        open_source(url)
