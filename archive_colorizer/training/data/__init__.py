"""Draw crops from photographs and age them."""
