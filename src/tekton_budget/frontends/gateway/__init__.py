"""The gateway: a client of a provider talks to us instead, and is held to its budgets."""
