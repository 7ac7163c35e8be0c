"""Find what lies below the roots: walk, classify, companions, overrides, bags."""
