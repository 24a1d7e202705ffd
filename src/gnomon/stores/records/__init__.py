"""Rows that must survive: resources, events, runs, the step journal, versions, snapshots and release marks."""
