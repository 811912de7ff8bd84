"""Makes, proves and switches the worker's environment, and tells what is wrong with it."""
