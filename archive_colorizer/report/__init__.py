"""Build the report that people look through: pictures before and after, and marks."""
