"""The client side of trickle: reading a channel's segments, and publishing them."""

from byoc_kit.trickle.connection import GIVE_UP_AFTER_S, TrickleError, client_session
from byoc_kit.trickle.data_publisher import DataPublisher
from byoc_kit.trickle.publisher import SegmentPublisher, publish_message
from byoc_kit.trickle.subscriber import LATEST, MAX_MESSAGE, read_channel, read_messages

__all__ = [
    "GIVE_UP_AFTER_S",
    "LATEST",
    "MAX_MESSAGE",
    "DataPublisher",
    "SegmentPublisher",
    "TrickleError",
    "client_session",
    "publish_message",
    "read_channel",
    "read_messages",
]
