"""Edges that keep things: records, objects, artifacts, and repositories (Git).

Each has an ``interface`` module with a Protocol, a ``memory`` twin where one makes sense, and its real versions;
all pass one contract suite. What the kept things mean belongs in the rooms above. ``content`` (bytes named by their digest),
``digests`` and ``durable`` (files that are whole and on the disk) are what objects and artifacts have in common.
"""
