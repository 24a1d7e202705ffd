"""Planned candidates become one choice: raced or fitted in full, within a budget."""
