"""The three services (ingest, projections, alerts) and the command line that starts them."""
