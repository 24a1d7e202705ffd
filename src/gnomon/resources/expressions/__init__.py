"""The text of a feature becomes a typed tree: read by `reader`, given types by `types`."""
