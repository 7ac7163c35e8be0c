"""Jpeg."""
