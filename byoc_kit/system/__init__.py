"""The kit's use of the operating system: processes, threads, addresses, memory, text for a terminal."""
