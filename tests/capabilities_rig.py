"""Any ``Capability``, for property tests."""

from hypothesis import strategies as st

from byoc_kit.core.capability import Capability

VERSIONS = st.from_regex(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}(-[a-z]+(\.[1-9][0-9]*)?)?", fullmatch=True)
HOSTS = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}|\[::1\]", fullmatch=True)
IMAGES = st.from_regex(
    r"([a-z][a-z0-9]*(:[1-9][0-9]{3})?/)?[a-z0-9]+(-[a-z0-9]+)?(:[A-Za-z0-9][A-Za-z0-9.]{0,20})?", fullmatch=True
)
GPUS = st.dictionaries(st.just("name"), st.text(min_size=1, max_size=50), min_size=1) | st.fixed_dictionaries(
    {"vram_mb": st.integers(1, 10**6)}, optional={"name": st.text(min_size=1)}
)


@st.composite
def urls(draw):
    port = draw(st.none() | st.integers(1, 65535))
    path = draw(st.lists(st.from_regex(r"[A-Za-z0-9._~-]{1,8}", fullmatch=True), max_size=2))
    scheme = draw(st.sampled_from(["http", "https"]))
    return f"{scheme}://{draw(HOSTS)}" + f":{port}" * (port is not None) + "".join(f"/{part}" for part in path)


MODEL_IDS = st.from_regex(r"[A-Za-z0-9]+([._/-][A-Za-z0-9]+)*", fullmatch=True).filter(lambda one: len(one) <= 250)
CAPABILITIES = st.builds(
    Capability,
    model_id=MODEL_IDS | st.just("a" * 250),
    price_per_unit=st.integers(0, 2**63 - 1),
    warm=st.booleans(),
    capacity=st.integers(1, 2**63 - 1),
    version=st.none() | VERSIONS,
    description=st.text(),
    pixels_per_unit=st.none() | st.integers(min_value=1),
    price_usd_per_hour=st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False),
    gpu=st.none() | GPUS,
    url=urls(),
    image=st.none() | IMAGES,
)
