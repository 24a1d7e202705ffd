"""Edges that run things: one call in a process of its own. What a call means belongs in ``pipeline/``."""
