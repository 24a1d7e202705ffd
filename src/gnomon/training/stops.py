"""Where an ensemble may stop, to grow on later."""

STOP = 5
"""Ensembles stop at multiples of it: what a booster draws at random begins anew there, so that stops change nothing."""
