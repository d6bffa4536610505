"""Ways out: to whom the service tells of itself, each with a pace of its own."""
