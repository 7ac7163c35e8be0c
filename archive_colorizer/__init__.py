"""Give photo archives their colour back."""

__version__ = "0.1.0"
