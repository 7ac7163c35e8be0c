"""One photograph, on the worker."""
