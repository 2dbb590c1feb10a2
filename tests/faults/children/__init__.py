"""Programs that run the tree under test: the only code here that a missing guard can change."""
