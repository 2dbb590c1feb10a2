"""Change over time, from numbers alone: a library of published methods, each with its source.

Nothing here knows of clients, instruments or events: scores go in, figures come out, and *not
analysable* (None) is an answer. ``rapport analyse`` runs it on anybody's table.
"""
