"""The means: tables, migrations and the batching writer."""
