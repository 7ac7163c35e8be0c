"""What the project promises when things break, proven by breaking them."""
