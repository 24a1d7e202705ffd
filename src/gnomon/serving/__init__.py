"""An artifact becomes answers: the gateway's processes, protocol, routes.

It imports neither scikit-learn, pandas nor pydantic.
"""
