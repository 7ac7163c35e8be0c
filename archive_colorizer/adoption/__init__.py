"""Adopt networks of others: download, inspect, try and stamp them with a contract."""
