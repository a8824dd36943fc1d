"""The trickle protocol: client and server."""
