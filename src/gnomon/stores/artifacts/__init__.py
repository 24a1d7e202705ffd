"""Packed models as OCI image manifests and blobs. The gateway reads this room, so it imports the standard library only."""
