"""An estimator of a Python library becomes a payload that holds no code, and answers from a process of its own.

Graphs are what artifacts usually hold (``inference/``); this is for what has none, where a model says ``runtime: python``.
"""
