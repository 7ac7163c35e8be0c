"""Read, check and explain everything that a user may choose: files, presets and options."""
