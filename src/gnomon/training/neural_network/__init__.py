"""Rows and targets become the weights of a feed-forward network: NumPy alone, one flat vector of parameters, no framework."""
