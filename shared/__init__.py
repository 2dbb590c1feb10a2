"""The language and the plumbing of Rapport; knows no service."""
