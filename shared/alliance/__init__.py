"""The domain, pure: what the facts of one client say about the alliance."""
