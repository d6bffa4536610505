"""The library's verbs, described once, in whatever way they reach the service."""
