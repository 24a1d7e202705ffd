"""Desired and observed state become actions: the one loop, one controller file per kind, release write-back."""
