"""The gateway beside the servers that people use: one row a request, one core for the server, another for the load."""

from bench.serving.measurement import measure

__all__ = ["measure"]
