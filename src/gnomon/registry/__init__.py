"""A passed candidate becomes an artifact: packing, versions, and loading one by name."""
