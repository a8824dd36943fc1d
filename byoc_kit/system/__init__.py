"""The kit's use of the operating system: processes, tasks and threads, addresses, files, memory."""
