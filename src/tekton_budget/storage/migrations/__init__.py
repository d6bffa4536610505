"""Migrations: the revisions of the schema, in their order, one file each under `versions`."""
