"""The pipeline beside the engines that people use: what a step costs, what a cache notices, what parallel fits cost."""

from bench.pipelines.measurement import measure

__all__ = ["measure"]
