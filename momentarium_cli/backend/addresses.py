"""Where hosts are, as far as their names and numbers tell."""

import ipaddress

_INSIDE = (".localhost", ".local", ".lan", ".internal", ".home.arpa")


def is_inside(host: str) -> bool:
    """Whether a host is of one's own machine or network."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)
