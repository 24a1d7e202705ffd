"""Raw columns become an artifact's answers: signature, encoding, sessions, golden rows.

The one code path that judging and serving share; numpy and onnxruntime only.
"""
