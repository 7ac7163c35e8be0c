"""Arithmetic on arrays: color spaces, the blend, the corrections."""
