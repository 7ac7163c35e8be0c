"""Bring results to their place, and see that only one run does so."""
