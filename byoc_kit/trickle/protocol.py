"""What both ends of trickle say to each other over HTTP, as go-livepeer names it."""

CLOSED_HEADER = "Lp-Trickle-Closed"
EXPECT_HEADER = "Expect-Content"
LATEST_HEADER = "Lp-Trickle-Latest"
RESET_HEADER = "Lp-Trickle-Reset"
SEQ_HEADER = "Lp-Trickle-Seq"

SEGMENT_MISSING_STATUS = 470
SEGMENTS_PER_CHANNEL = 5

VIDEO_TYPE = "video/MP2T"
DATA_TYPE = "application/jsonl"
