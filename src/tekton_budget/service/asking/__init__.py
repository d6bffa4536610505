"""The ledger's verbs, and how a request becomes a command."""
