"""Hold everything that a user may choose, from files, presets and options."""
