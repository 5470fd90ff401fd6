"""Which hosts and addresses a picture may be fetched from. Pure functions: nothing is resolved or opened here.

A URL is taken apart once, strictly; whatever two parsers could read in two ways is refused. An address is public only
if it is on no list of special addresses; IPv6 addresses that only wrap an IPv4 address never are.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo),
RFC 5214 (ISATAP); the clouds' own documentation of their metadata services.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from szem.errors import DeniedError
from szem.serve.status import FieldsError

__all__ = ["Target", "check_host_allowed", "is_of_a_cloud", "is_public", "parse_target"]

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_MAX_URL = 4096

# Written out, so that the answer does not depend on the version of Python.
_SPECIAL_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, the clouds' metadata among them
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Everything outside is local, multicast, mapped IPv4, NAT64 or not given out.
_GLOBAL_6 = IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
)


# Where a cloud tells its machines who they are, keys included: never, whatever the operator allows.
_CLOUDS_4 = tuple(
    IPv4Network(text)
    for text in (
        "169.254.0.0/16",  # AWS, Google, Azure, DigitalOcean, OpenStack, Oracle, Tencent; AWS for containers
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure, in the midst of public addresses
        "192.0.0.192/32",  # Oracle
        "161.26.0.0/16",  # IBM, services within its cloud
        "166.8.0.0/14",  # IBM likewise
    )
)
_CLOUDS_6 = tuple(
    IPv6Network(text)
    for text in (
        "fd00:ec2::/32",  # AWS: metadata, time, names
        "fd20:ce::/32",  # Google
        "fd00:c1::/32",  # Oracle
        "fd00:42::/32",  # Scaleway
        "fe80::a9fe:a9fe/128",  # OpenStack
    )
)


@dataclass(frozen=True)
class Target:
    """Where one request of a fetch goes."""

    scheme: str
    host: str  # lower case, IDNA-encoded, without brackets and final dot
    port: int
    path: str  # with query, without fragment

    @property
    def authority(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as szem understood it."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: str) -> Target:
    """Take an http(s) URL apart.

    Raises:
        FieldsError: another scheme, a user name, a number in disguise, or anything that parsers read in several ways.

    >>> parse_target("https://Example.com/a?b#c").url
    'https://example.com/a?b'
    """
    if len(url) > _MAX_URL:
        raise FieldsError(f"imageUri has {len(url):,} characters, the limit is {_MAX_URL:,}")
    if not url.isascii() or any(c <= " " or c == "\x7f" or c in '\\"<>^`{|}' for c in url):
        raise FieldsError("imageUri holds a character that must be percent-encoded; encode it (names as xn--…)")
    if re.match(r"https?://[^/?#]", url, re.IGNORECASE) is None:
        raise FieldsError(f"imageUri must begin with http://HOST or https://HOST, got {url[:60]!r}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FieldsError(f"imageUri {url[:60]!r} is not a URL ({error})") from error
    if "@" in parts.netloc:
        raise FieldsError("imageUri must not hold a user name or password")
    if "%" in parts.netloc:
        raise FieldsError("imageUri must not hold % in the name of its host")
    if port == 0 or parts.netloc.endswith(":"):
        raise FieldsError("imageUri must have a port above 0 after the colon, or no colon")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, _check_name(parts), port or _PORTS[parts.scheme], path)


def _check_name(parts: SplitResult) -> str:
    name = (parts.hostname or "").lower()
    if parts.netloc.startswith("["):
        try:
            return str(IPv6Address(name))
        except ValueError as error:
            raise FieldsError(f"imageUri: [{name[:60]}] is not an IPv6 address") from error
    name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise FieldsError(f"imageUri: {name[:60]!r} is not the name of a host")
    if _NUMBER.match(labels[-1]):  # an IPv4 address, or one in disguise: 2130706433, 0x7f.1, 0177.0.0.1
        try:
            return str(IPv4Address(name))
        except ValueError as error:
            raise FieldsError(f"imageUri: {name[:60]!r} is not an IPv4 address of four decimal numbers") from error
    return name


def check_host_allowed(target: Target, allowed: tuple[str, ...]) -> None:
    """Refuse hosts that the operator has not named.

    Args:
        target: Where to.
        allowed: `example.com`, `*.example.com` (its subdomains), `*` (any); with `:port` for a port other than the
            scheme's own, `:*` for any.
    Raises:
        DeniedError: no entry fits.
    """
    if not allowed:
        raise DeniedError(
            "this server fetches no imageUri; send the picture in image.content, "
            "or ask the operator to start it with --allow-host HOST"
        )
    usual = _PORTS[target.scheme]
    for entry in allowed:
        host, port = _split_entry(entry.lower())
        if port not in ("*", str(target.port)) and not (port == "" and target.port == usual):
            continue
        if host == "*" or host == target.host or (host.startswith("*.") and target.host.endswith(host[1:])):
            return
    raise DeniedError(f"this server does not fetch from {target.authority!r}; send the picture in image.content")


def _split_entry(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        return host, port.lstrip(":")
    if entry.count(":") > 1:
        return entry, ""
    host, _, port = entry.partition(":")
    return host, port


def is_public(text: str) -> bool:
    """Whether an address belongs to the public Internet, and to one machine.

    >>> [is_public(a) for a in ("8.8.8.8", "127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1")]
    [True, False, False, False, False]
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if is_of_a_cloud(text):
        return False
    if isinstance(address, IPv4Address):
        return not any(address in net for net in _SPECIAL_4)
    return (
        address.scope_id is None
        and address in _GLOBAL_6
        and not any(address in net for net in _SPECIAL_6)
        and not _is_isatap(address)
    )


def is_of_a_cloud(text: str) -> bool:
    """Whether an address is one at which a cloud answers its own machines, in whatever form it is written.

    >>> [is_of_a_cloud(a) for a in ("169.254.169.254", "::ffff:168.63.129.16", "fd00:ec2::254", "10.0.0.1")]
    [True, True, True, False]
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return any(address in net for net in _CLOUDS_4)
    if any(IPv6Address(int(address)) in net for net in _CLOUDS_6):  # without its zone
        return True
    return any(inner in net for inner in _wrapped(address) for net in _CLOUDS_4)


def _wrapped(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses an IPv6 address may stand for: mapped, compatible, NAT64 of any prefix, 6to4, Teredo.

    Networks choose their own prefixes for NAT64 (RFC 6052), so the last 32 bits always count.
    """
    found = [IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    return tuple(found)


def _is_isatap(address: IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE
