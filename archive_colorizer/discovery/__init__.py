"""Find the photographs below the roots, with their settings, companions and checksums."""
