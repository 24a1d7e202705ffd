"""Sources become snapshots: reading, schema, checks. Splitting rows for training belongs in ``training/``."""
