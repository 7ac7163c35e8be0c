"""Build the HTML report with pictures before and after, and marks."""
