"""Rows and targets become the weights of a PyTorch network, and the weights an ONNX graph of our own: the extra ``torch``."""
