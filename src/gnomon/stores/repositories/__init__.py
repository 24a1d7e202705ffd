"""Git remotes, read through a bare mirror and written by compare-and-swap pushes. No work tree, no hooks, no filters."""
