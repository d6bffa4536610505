"""Limits by hand: set, shown, topped up, ended."""
