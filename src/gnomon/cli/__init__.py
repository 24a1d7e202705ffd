"""Commands become calls; one file per noun."""
