"""What imageUri may reach: a table of addresses, names and URLs, none of which gets through."""

import asyncio
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from szem.errors import DeniedError, SzemError
from szem.serve.addresses import check_host_allowed, is_public, parse_target
from szem.serve.fetch import Fetcher
from szem.serve.settings import ServeSettings
from szem.serve.status import FieldsError

# URL, and what its name would resolve to. Any host is allowed by name: only the door itself stands in the way.
TRICKS: dict[str, tuple[str, list[str]]] = {
    "loopback": ("http://127.0.0.1/", ["127.0.0.1"]),
    "loopback, other port": ("http://127.0.0.1:8777/v1/operations", ["127.0.0.1"]),
    "loopback, far end": ("http://127.255.255.254/", ["127.255.255.254"]),
    "loopback by name": ("http://localhost/", ["127.0.0.1"]),
    "loopback by name, final dot": ("http://localhost./", ["127.0.0.1"]),
    "loopback by name, capitals": ("http://LOCALHOST/", ["127.0.0.1"]),
    "loopback by a public name": ("http://127.0.0.1.nip.io/", ["127.0.0.1"]),
    "this network": ("http://0.0.0.0/", ["0.0.0.0"]),
    "zero": ("http://0/", ["0.0.0.0"]),
    "short form": ("http://127.1/", ["127.0.0.1"]),
    "decimal": ("http://2130706433/", ["127.0.0.1"]),
    "hexadecimal": ("http://0x7f000001/", ["127.0.0.1"]),
    "hexadecimal by parts": ("http://0x7f.0x0.0x0.0x1/", ["127.0.0.1"]),
    "octal": ("http://0177.0.0.1/", ["127.0.0.1"]),
    "octal, padded": ("http://00000177.0.0.01/", ["127.0.0.1"]),
    "mixed bases": ("http://0x7f.1/", ["127.0.0.1"]),
    "overflow": ("http://256.0.0.1/", ["0.0.0.1"]),
    "private 10": ("http://10.1.2.3/", ["10.1.2.3"]),
    "private 172": ("http://172.31.255.255/", ["172.31.255.255"]),
    "private 192": ("http://192.168.0.1/", ["192.168.0.1"]),
    "carrier-grade NAT": ("http://100.64.0.1/", ["100.64.0.1"]),
    "cloud metadata": ("http://169.254.169.254/latest/meta-data/", ["169.254.169.254"]),
    "cloud metadata by name": ("http://metadata.google.internal/", ["169.254.169.254"]),
    "Azure's own address, among public ones": ("http://168.63.129.16/", ["168.63.129.16"]),
    "Azure by a public name": ("http://azure.example/", ["168.63.129.16"]),
    "Alibaba's metadata": ("http://100.100.100.200/", ["100.100.100.200"]),
    "Oracle's metadata": ("http://192.0.0.192/", ["192.0.0.192"]),
    "IBM's own services": ("http://161.26.0.10/", ["161.26.0.10"]),
    "AWS metadata over IPv6": ("http://[fd00:ec2::254]/", ["fd00:ec2::254"]),
    "Google's metadata over IPv6": ("http://[fd20:ce::254]/", ["fd20:ce::254"]),
    "metadata by NAT64 of a network's own prefix": ("http://nat.example/", ["2a00:1450:64::a9fe:a9fe"]),
    "metadata by 6to4": ("http://[2002:a9fe:a9fe::]/", ["2002:a9fe:a9fe::"]),
    "benchmark network": ("http://198.18.0.1/", ["198.18.0.1"]),
    "documentation network": ("http://203.0.113.7/", ["203.0.113.7"]),
    "protocol assignments": ("http://192.0.0.8/", ["192.0.0.8"]),
    "multicast": ("http://224.0.0.251/", ["224.0.0.251"]),
    "reserved": ("http://240.0.0.1/", ["240.0.0.1"]),
    "broadcast": ("http://255.255.255.255/", ["255.255.255.255"]),
    "IPv6 loopback": ("http://[::1]/", ["::1"]),
    "IPv6 loopback in full": ("http://[0:0:0:0:0:0:0:1]/", ["::1"]),
    "IPv6 unspecified": ("http://[::]/", ["::"]),
    "IPv6 link-local": ("http://[fe80::1]/", ["fe80::1"]),
    "IPv6 link-local with a zone": ("http://[fe80::1%25eth0]/", ["fe80::1%eth0"]),
    "IPv6 site-local": ("http://[fec0::1]/", ["fec0::1"]),
    "IPv6 unique local": ("http://[fd00::1]/", ["fd00::1"]),
    "IPv6 multicast": ("http://[ff02::1]/", ["ff02::1"]),
    "IPv6 documentation": ("http://[2001:db8::1]/", ["2001:db8::1"]),
    "IPv4-mapped": ("http://[::ffff:127.0.0.1]/", ["::ffff:127.0.0.1"]),
    "IPv4-mapped, hexadecimal": ("http://[::ffff:7f00:1]/", ["::ffff:7f00:1"]),
    "IPv4-mapped, public inside": ("http://[::ffff:8.8.8.8]/", ["::ffff:8.8.8.8"]),
    "IPv4-compatible": ("http://[::127.0.0.1]/", ["::127.0.0.1"]),
    "NAT64": ("http://[64:ff9b::7f00:1]/", ["64:ff9b::7f00:1"]),
    "NAT64 for local use": ("http://[64:ff9b:1::a00:1]/", ["64:ff9b:1::a00:1"]),
    "6to4": ("http://[2002:7f00:1::]/", ["2002:7f00:1::"]),
    "6to4 of a public address": ("http://[2002:808:808::]/", ["2002:808:808::"]),
    "Teredo": ("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", ["2001:0:4136:e378:8000:63bf:80ff:fffe"]),
    "ISATAP": ("http://[2a00:1450::5efe:10.0.0.1]/", ["2a00:1450::5efe:a00:1"]),
    "IPv6 not given out": ("http://[4000::1]/", ["4000::1"]),
    "a name with one good and one bad address": ("http://two.example/", ["93.184.216.34", "10.0.0.1"]),
    "a name with a bad IPv6 address": ("http://six.example/", ["93.184.216.34", "::1"]),
    "a name without an address": ("http://none.example/", []),
    "user name that looks like the host": ("http://example.com@127.0.0.1/", ["127.0.0.1"]),
    "user and password": ("http://example.com:80@10.0.0.1/", ["10.0.0.1"]),
    "backslash before the host": ("http://example.com\\@127.0.0.1/", ["127.0.0.1"]),
    "backslashes for slashes": ("http:\\\\127.0.0.1\\", ["127.0.0.1"]),
    "one slash": ("http:/127.0.0.1/", ["127.0.0.1"]),
    "no slash": ("http:127.0.0.1", ["127.0.0.1"]),
    "three slashes": ("http:///127.0.0.1/", ["127.0.0.1"]),
    "no scheme": ("//127.0.0.1/", ["127.0.0.1"]),
    "percent-encoded dot": ("http://127%2e0.0.1/", ["127.0.0.1"]),
    "percent-encoded name": ("http://%6cocalhost/", ["127.0.0.1"]),
    "full-width digits": ("http://１２７.０.０.１/", ["127.0.0.1"]),
    "circled letters": ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", ["127.0.0.1"]),
    "ideographic full stop": ("http://127。0。0。1/", ["127.0.0.1"]),
    "soft hyphen": ("http://local\u00adhost/", ["127.0.0.1"]),
    "tab in the name": ("http://local\thost/", ["127.0.0.1"]),
    "line break and a header": ("http://example.com/\r\nHost: 127.0.0.1", ["127.0.0.1"]),
    "NUL in the name": ("http://127.0.0.1\0.example.com/", ["127.0.0.1"]),
    "leading space": (" http://127.0.0.1/", ["127.0.0.1"]),
    "bracket confusion": ("http://[::1].example.com/", ["::1"]),
    "IPv6 without brackets": ("http://::1/", ["::1"]),
    "fragment before the host": ("http://#@127.0.0.1/", ["127.0.0.1"]),
    "question mark before the host": ("http://?@127.0.0.1/", ["127.0.0.1"]),
    "port zero": ("http://example.com:0/", ["93.184.216.34"]),
    "port too large": ("http://example.com:65536/", ["93.184.216.34"]),
    "port in words": ("http://example.com:http/", ["93.184.216.34"]),
    "empty port": ("http://example.com:/", ["93.184.216.34"]),
    "file": ("file:///etc/passwd", []),
    "ftp": ("ftp://127.0.0.1/a.png", ["127.0.0.1"]),
    "gopher": ("gopher://127.0.0.1:6379/_INFO", ["127.0.0.1"]),
    "dict": ("dict://127.0.0.1:11211/stat", ["127.0.0.1"]),
    "data": ("data:image/png;base64,AAAA", []),
    "javascript": ("javascript:alert(1)", []),
    "unix socket": ("http+unix://%2Fvar%2Frun%2Fdocker.sock/", []),
    "a URL without end": ("http://example.com/" + "a" * 5000, ["93.184.216.34"]),
    "a name without end": ("http://" + "a." * 200 + "com/", ["93.184.216.34"]),
    "the server itself by its usual port": ("http://127.0.0.1:8777/healthz", ["127.0.0.1"]),
}


class NoDoorError(Exception):
    """A connection was opened: the trick worked."""


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*args: object, **kwargs: object) -> None:
        raise NoDoorError(f"connected to {args}")

    monkeypatch.setattr(asyncio, "open_connection", refuse)


def test_the_table_of_tricks_is_long_enough() -> None:
    assert len(TRICKS) >= 40


@pytest.mark.usefixtures("no_connection")
@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_gets_through(name: str) -> None:
    url, addresses = TRICKS[name]

    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    settings = ServeSettings(allow_hosts=("*:*", "*"))
    with pytest.raises(SzemError):
        asyncio.run(Fetcher(settings, resolve=resolve).fetch(url))


@pytest.mark.usefixtures("no_connection")
def test_a_public_address_would_have_been_let_through() -> None:
    """The table means something only if the same door opens for others."""

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    with pytest.raises(NoDoorError, match=r"93\.184\.216\.34"):
        asyncio.run(Fetcher(ServeSettings(allow_hosts=("*",)), resolve=resolve).fetch("http://example.com/"))


CLOUDS = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:a83f:8110",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::6464:64c8",
    "2002:a9fe:a9fe::1",
    "fe80::a9fe:a9fe%eth0",
]


@pytest.mark.usefixtures("no_connection")
@pytest.mark.parametrize("address", CLOUDS)
def test_a_clouds_own_address_is_never_reached_whatever_the_operator_allows(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1", address]

    settings = ServeSettings(allow_hosts=("*",), allow_private_hosts=True)
    with pytest.raises(DeniedError) as caught:
        asyncio.run(Fetcher(settings, resolve=resolve).fetch("http://name.example/"))
    assert address not in str(caught.value)


@pytest.mark.usefixtures("no_connection")
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "fd00::7", "::1"])
def test_other_private_addresses_are_reached_where_the_operator_allows_them(address: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return [address]

    settings = ServeSettings(allow_hosts=("*",), allow_private_hosts=True)
    with pytest.raises(NoDoorError):
        asyncio.run(Fetcher(settings, resolve=resolve).fetch("http://name.example/"))


@given(st.ip_addresses(v=4))
def test_no_private_ipv4_address_is_public(address: IPv4Address) -> None:
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    if special:
        assert not is_public(str(address))


@given(st.ip_addresses(v=4))
def test_no_ipv6_address_that_wraps_an_ipv4_address_is_public(address: IPv4Address) -> None:
    number = int(address)
    for wrapped in (
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x0064FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(number),
    ):
        assert not is_public(str(wrapped))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:400d:80c::200e"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_a_typed_refusal(text: str) -> None:
    try:
        target = parse_target("http://" + text)
    except FieldsError:
        return
    assert target.host
    assert "@" not in target.authority
    assert parse_target(target.url) == target


@pytest.mark.parametrize(
    ("url", "allowed", "goes"),
    [
        ("http://example.com/", ("example.com",), True),
        ("http://EXAMPLE.com./", ("example.com",), True),
        ("http://www.example.com/", ("example.com",), False),
        ("http://www.example.com/", ("*.example.com",), True),
        ("http://example.com/", ("*.example.com",), False),
        ("http://badexample.com/", ("*.example.com",), False),
        ("http://example.com.evil.net/", ("example.com", "*.example.com"), False),
        ("http://example.com:8080/", ("example.com",), False),
        ("http://example.com:8080/", ("example.com:8080",), True),
        ("https://example.com/", ("example.com",), True),
        ("https://example.com:80/", ("example.com",), False),
        ("http://any.thing/", ("*",), True),
        ("http://any.thing:99/", ("*",), False),
        ("http://any.thing:99/", ("*:*",), True),
        ("http://[2606:4700::1]/", ("2606:4700::1",), True),
        ("http://[2606:4700::1]:99/", ("[2606:4700::1]:99",), True),
        ("http://example.com/", (), False),
    ],
)
def test_only_named_hosts_are_allowed(url: str, allowed: tuple[str, ...], goes: bool) -> None:
    if goes:
        check_host_allowed(parse_target(url), allowed)
    else:
        with pytest.raises(DeniedError):
            check_host_allowed(parse_target(url), allowed)
