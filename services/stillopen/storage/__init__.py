"""Engines for databases: a whole function is the transaction. Engines know no table."""
