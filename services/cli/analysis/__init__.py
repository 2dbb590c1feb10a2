"""``rapport analyse``: methods of change on anybody's table of client, occasion and score."""
