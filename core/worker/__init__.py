"""The worker process: its wire to the host, its tasks, its command line."""
