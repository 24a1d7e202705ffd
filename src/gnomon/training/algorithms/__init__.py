"""Matrices become fitted models: one file per library, each with ``fit``, a native ``predict`` and ``emit``."""
