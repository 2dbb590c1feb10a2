"""The families of event types: plug-ins only, one file each (see shared/events/family.py)."""
