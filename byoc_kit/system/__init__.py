"""What the kit asks of the operating system: processes, threads, addresses, memory, text for a terminal."""
