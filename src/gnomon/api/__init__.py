"""State becomes the control plane's HTTP API."""
