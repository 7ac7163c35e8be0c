"""Scripts that print tables; nothing of the program imports them."""
