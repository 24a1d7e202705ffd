"""Records become answers about the past: what something was made of and what used it, and whether it can be made again."""
