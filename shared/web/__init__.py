"""What every HTTP service shares: the application, errors as problem+json, who is calling."""
