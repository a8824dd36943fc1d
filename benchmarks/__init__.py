"""Measuring what a stream costs here, beside stock pytrickle and plain ffmpeg, in one run."""
