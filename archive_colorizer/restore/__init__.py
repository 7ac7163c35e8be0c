"""Restore one photograph, on a worker."""
