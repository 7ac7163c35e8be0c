"""Access files and object stores through one interface."""
