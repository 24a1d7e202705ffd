"""Figures become drawings, and pages share one look: SVG and style that stand inside a page and ask nobody."""
