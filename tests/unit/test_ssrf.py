"""Where no message may go: every special address, however it is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.ssrf import DENIED, allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - denied, not bound.
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2606:4700:4700::1111%eth0",
        "not an address",
        "",
        "2130706433",
        "0x7f000001",
    ],
)
def test_special_addresses_are_denied(address: str) -> None:
    """This machine, its network, the metadata of clouds, and ways around: none is allowed."""
    assert not allowed(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111"])
def test_the_public_network_is_allowed(address: str) -> None:
    """Recipients on the public network are reached."""
    assert allowed(address)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_allowed(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """The own list denies at least everything that the standard library knows as special."""
    if (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or getattr(address, "is_site_local", False)
    ):
        assert not allowed(str(address))


@given(st.sampled_from(DENIED), st.randoms(use_true_random=False))
def test_no_address_of_a_denied_network_is_allowed(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, random: object
) -> None:
    """First, last, and any between."""
    pick = random.randrange(network.num_addresses)  # type: ignore[attr-defined]
    for address in (network[0], network[-1], network[pick]):
        assert not allowed(str(address))
        if network.version == 4:
            assert not allowed(f"::ffff:{address}")
