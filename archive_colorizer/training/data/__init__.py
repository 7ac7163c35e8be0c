"""Draw crops from photographs and simulate aging."""
