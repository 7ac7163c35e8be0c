"""Object stores, as far as this program needs them: the only door of fsspec."""
