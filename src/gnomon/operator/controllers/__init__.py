"""One file per kind: pure functions from desired and observed state to an outcome and the actions that bring it nearer."""
