"""Arithmetic on arrays: colour spaces, the blend, the corrections."""
