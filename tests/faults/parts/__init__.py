"""Parts that can be broken on purpose: a database, a network, a disk, a cluster, a recipient."""
