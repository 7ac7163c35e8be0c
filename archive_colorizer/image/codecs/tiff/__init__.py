"""Tiff."""
