"""The words of the trickle protocol that both ends use, as go-livepeer has them."""

CLOSED_HEADER = "Lp-Trickle-Closed"
EXPECT_HEADER = "Expect-Content"
LATEST_HEADER = "Lp-Trickle-Latest"
RESET_HEADER = "Lp-Trickle-Reset"
SEQ_HEADER = "Lp-Trickle-Seq"

NEXT_WRITE = -1
"""The sequence number, in a request, of the segment that is written next."""
LATEST_WRITTEN = -2
"""The sequence number, in a reader's request, of the newest segment that has bytes; 0 if none has."""

SEGMENT_MISSING_STATUS = 470
SEGMENTS_PER_CHANNEL = 5

VIDEO_TYPE = "video/MP2T"
DATA_TYPE = "application/jsonl"
