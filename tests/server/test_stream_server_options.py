"""pytrickle's options of StreamServer, each honoured or refused by its name."""

import inspect
import sys
from types import ModuleType

import pytest
from aiohttp import web
from pytrickle.server import StreamServer as PytrickleStreamServer

from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.server.stream_server import OptionError, StreamServer

REFUSED = {
    "health_check_interval": 3.0,
    "publisher_timeout": 5.0,
    "subscriber_timeout": 5.0,
    "frame_skip_config": object(),
    "overlay_config": object(),
}
HONOURED = {
    "frame_processor", "port", "pipeline", "capability_name", "version", "custom_routes", "middleware", "cors_config",
    "static_routes", "app_context", "enable_default_routes", "route_prefix", "host", "on_startup", "on_shutdown",
    "app_kwargs",
}  # fmt: skip


class Tint(Params):
    gain: float = 1.4


def server(**options):
    return StreamServer(FrameProcessor(Hooks(lambda frame: frame, params_type=Tint)), **options)


def paths(it):
    return {resource.canonical for resource in it.app.router.resources()}


def test_each_option_of_pytrickle_is_one_or_the_other():
    assert {*inspect.signature(PytrickleStreamServer).parameters} == HONOURED | REFUSED.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_an_option_without_effect_is_refused_by_its_name(name):
    with pytest.raises(OptionError, match=f"StreamServer takes no {name}: .*; leave it out"):
        server(**{name: REFUSED[name]})
    server(**{name: None})


def test_an_option_that_is_none_of_pytrickles_is_refused():
    with pytest.raises(TypeError, match="no_such_option"):
        server(no_such_option=1)


def test_the_prefix_is_before_the_stream_routes_as_it_is_in_pytrickle():
    it = server(route_prefix="/v1/")
    assert {"/v1/stream/start", "/v1/stream/params", "/health", "/live-video-to-video"} <= paths(it)
    assert "/stream/start" not in paths(it)


def test_the_default_routes_can_be_left_out():
    assert paths(server(enable_default_routes=False)) == set()


def test_a_route_of_ones_own_at_the_root_takes_the_place_of_the_index():
    async def own(_):
        return web.Response(text="mine")

    it = server(custom_routes=[{"method": "GET", "path": "/", "handler": own}])
    [route] = [route for route in it.app.router.routes() if route.resource.canonical == "/" and route.method == "GET"]
    assert route.handler is own


def test_cors_without_its_package_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp_cors", None)
    with pytest.raises(OptionError, match="needs aiohttp-cors for cors_config; install it"):
        server(cors_config={"*": {}})


@pytest.mark.filterwarnings("ignore:It is recommended to use web.AppKey")  # pytrickle keeps its CORS under a text
async def test_cors_is_set_up_for_each_route_and_its_origins_may_post(rig, monkeypatch):
    added = []

    class Cors:
        def add(self, route):
            added.append(route.resource.canonical)

    fake = ModuleType("aiohttp_cors")
    fake.__spec__ = type(sys.__spec__)("aiohttp_cors", None)
    fake.setup, fake.ResourceOptions = lambda app, defaults: Cors(), dict
    monkeypatch.setitem(sys.modules, "aiohttp_cors", fake)
    async with rig(lambda frame: frame, options={"cors_config": {"https://mine.example": {}}}) as it:
        assert "/stream/start" in added
        for origin, expected in (("https://mine.example", 200), ("https://other.example", 403)):
            assert (await it.post("/stream/stop", headers={"Origin": origin}))[0] == expected


def test_the_pipeline_may_be_named_otherwise():
    assert (server().pipeline, server(pipeline="video").pipeline) == ("live-video-to-video", "video")
