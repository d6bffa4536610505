"""Rows as they are read: one file a noun, walked page by page."""
