"""Which addresses a message may be sent to. Pure.

A recipient's URL is the recipient's own word, so it must not reach what only we can reach: this
machine, its network, the cloud's metadata. ``ipaddress.is_global`` is not enough (it lets NAT64,
6to4, 168.63.129.16, fec0::/10 and multicast through), so what is denied is written out.
"""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DENIED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # This network.
        "10.0.0.0/8",  # Private.
        "100.64.0.0/10",  # Shared by carriers.
        "127.0.0.0/8",  # This machine.
        "168.63.129.16/32",  # Azure's platform.
        "169.254.0.0/16",  # Link-local, and the metadata of most clouds.
        "172.16.0.0/12",  # Private.
        "192.0.0.0/24",  # Protocol assignments, and Oracle's metadata.
        "192.0.2.0/24",  # Documentation.
        "192.31.196.0/24",  # AS112.
        "192.52.193.0/24",  # AMT.
        "192.88.99.0/24",  # 6to4 relays.
        "192.168.0.0/16",  # Private.
        "192.175.48.0/24",  # AS112.
        "198.18.0.0/15",  # Benchmarks.
        "198.51.100.0/24",  # Documentation.
        "203.0.113.0/24",  # Documentation.
        "224.0.0.0/4",  # Multicast.
        "240.0.0.0/4",  # Reserved, and broadcast.
        "::/96",  # Unspecified, loopback, IPv4-compatible.
        "::ffff:0:0/96",  # IPv4-mapped.
        "::ffff:0:0:0/96",  # IPv4-translated.
        "64:ff9b::/96",  # NAT64.
        "64:ff9b:1::/48",  # NAT64 of a local network.
        "100::/64",  # Discard.
        "2001::/23",  # Protocol assignments, Teredo among them.
        "2001:db8::/32",  # Documentation.
        "2002::/16",  # 6to4.
        "2620:4f:8000::/48",  # AS112.
        "3fff::/20",  # Documentation.
        "5f00::/16",  # Segment routing.
        "fc00::/7",  # Private, and AWS' metadata.
        "fe80::/10",  # Link-local.
        "fec0::/10",  # Site-local.
        "ff00::/8",  # Multicast.
    )
)
"""IANA's special-purpose registries, and what clouds answer on."""

GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 space that is given out; whatever lies outside is denied as well."""


def allowed(address: str) -> bool:
    """Return whether a message may be sent to an address; a text that is none is denied."""
    try:
        # A zone (fe80::1%eth0) names an interface of this machine.
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (
        found.scope_id is not None or found not in GLOBAL_UNICAST
    ):
        return False
    return not any(found in network for network in DENIED if network.version == found.version)
