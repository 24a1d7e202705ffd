"""Raw columns become features: the same numbers in a table, in an ONNX graph and in plain Python."""
