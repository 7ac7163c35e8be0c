"""Networks of others: what is known of their families, their trial, their place on the shelf."""
