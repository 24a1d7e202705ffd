"""The search beside the full hold-out and other searches: what a winner costs, and how it does on months to come."""

from bench.training.measurement import measure

__all__ = ["measure"]
