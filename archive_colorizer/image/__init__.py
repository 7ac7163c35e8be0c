"""Hold one picture: samples, metadata, formats."""
