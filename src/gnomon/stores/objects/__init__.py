"""Bytes named by their SHA-256: data files, step results, logs and reports."""
