"""A candidate becomes a verdict: metrics, gates and reports, measured on the packed artifact."""
