"""Declared files become typed, frozen resources; every error names file, line and column.

Nothing here reads a disk, a clock or a network: bytes come in, values go out.
"""
