"""What stands, what was spent and what was refused, as far as a key may see it."""
