"""What runs in the container: StreamServer, sessions, health."""
