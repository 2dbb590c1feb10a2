"""What Rapport keeps in SQL: the engine, positions, facts, the registry, the accounts."""
