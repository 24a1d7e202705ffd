"""A snapshot becomes figures and findings about its quality, in one scan that can be merged file by file."""
