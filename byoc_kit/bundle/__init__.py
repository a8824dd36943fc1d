"""What an export writes: the plan of it, the lock, the Dockerfile, and what announces the container."""
