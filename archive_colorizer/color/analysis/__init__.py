"""Measure faces, borders, tone and color quality of a picture."""
