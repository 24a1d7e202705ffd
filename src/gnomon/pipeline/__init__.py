"""Declared steps become a keyed, cached, resumable DAG.

What a step computes belongs in the rooms above; where it runs, in ``runners/``.
"""
