"""The whole loop, told on real data."""
