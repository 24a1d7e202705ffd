"""A dataset becomes candidates: features, algorithms, search, and one ONNX graph each.

Judging them belongs in ``evaluation/``.
"""
