"""Read, change and write EXIF, XMP, ICC profiles and C2PA credentials."""
