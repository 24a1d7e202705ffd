"""What goes on becomes OpenLineage events, for whoever collects lineage."""
