"""Headers of pages that are made of others' words."""

SAFE_PAGE = {
    # A report quotes names from data files; whatever they say, it runs no script and asks nobody.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "x-content-type-options": "nosniff",
}
