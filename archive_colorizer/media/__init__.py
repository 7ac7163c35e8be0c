"""Pixels in and out: reading and writing pictures, and finding them."""
