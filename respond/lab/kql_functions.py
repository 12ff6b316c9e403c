"""KQL that public queries use and duckdb-kql 1.1.2 lacks, added where one line of SQL says the same.

Upstream keeps its functions as data ("growing support means adding rows"); these are such rows. What needs more than a
row is left out: the engine then refuses the query, and the lab says so.
"""

from __future__ import annotations

MACROS = (
    # the address as a number, null when it is none: sign-in logs hold "a.b.c.XXX" and IPv6 too
    r"""CREATE MACRO lab_ipv4(address) AS CASE
        WHEN regexp_full_match(split_part(address, '/', 1), '((25[0-5]|2[0-4]\d|1?\d?\d)(\.|$)){4}') THEN list_reduce(
            list_transform(string_split(split_part(address, '/', 1), '.'), lambda part: CAST(part AS BIGINT)),
            lambda number, part: number * 256 + part) END""",
    """CREATE MACRO lab_prefix(network) AS coalesce(TRY_CAST(nullif(split_part(network, '/', 2), '') AS BIGINT), 32)""",
    """CREATE MACRO lab_ipv4_in(address, network) AS
        lab_ipv4(address) >> CAST(32 - lab_prefix(network) AS INTEGER)
        = lab_ipv4(network) >> CAST(32 - lab_prefix(network) AS INTEGER)""",
    """CREATE MACRO lab_ipv4_in_any(address, networks) AS
        coalesce(list_bool_or(list_transform(networks, lambda network: lab_ipv4_in(address, network))), FALSE)""",
    """CREATE MACRO lab_ipv4_private(address) AS lab_ipv4_in(address, '10.0.0.0/8')
        OR lab_ipv4_in(address, '172.16.0.0/12') OR lab_ipv4_in(address, '192.168.0.0/16')""",
    # 32 hexadecimal digits, null when it is no IPv6 address: the short form differs from feed to log
    """CREATE MACRO lab_groups(part) AS
        CASE WHEN part = '' THEN CAST([] AS VARCHAR[]) ELSE string_split(part, ':') END""",
    # a value that is used more than once is bound by a lambda: DuckDB would write its whole expression out each time
    r"""CREATE MACRO lab_ipv6(text) AS list_transform([lower(text)], lambda t:
        CASE WHEN regexp_full_match(t, '[0-9a-f:]*:[0-9a-f:]*') THEN array_to_string(list_transform(
            list_transform([{'l': lab_groups(split_part(t, '::', 1)), 'r': lab_groups(split_part(t, '::', 2))}],
                lambda p: list_concat(p.l, list_transform(
                    range(CASE WHEN contains(t, '::') THEN greatest(0, 8 - len(p.l) - len(p.r)) ELSE 0 END),
                    lambda i: '0'), p.r))[1],
            lambda part: lpad(part, 4, '0')), '') END)[1]""",
    """CREATE MACRO lab_nibble(digits, place) AS strpos('0123456789abcdef', substr(digits, place, 1)) - 1""",
    """CREATE MACRO lab_ipv6_in(address, network) AS list_transform([{
            'a': lab_ipv6(split_part(address, '/', 1)), 'n': lab_ipv6(split_part(network, '/', 1)),
            'b': coalesce(TRY_CAST(nullif(split_part(network, '/', 2), '') AS INTEGER), 128)}],
        lambda x: left(x.a, x.b // 4) = left(x.n, x.b // 4) AND (x.b % 4 = 0
            OR lab_nibble(x.a, x.b // 4 + 1) >> (4 - x.b % 4) = lab_nibble(x.n, x.b // 4 + 1) >> (4 - x.b % 4)))[1]""",
)
"""DuckDB macros that the rows below call; created in every database of the lab."""

_SCALARS: dict[str, tuple[str, tuple[int, ...]]] = {
    "ipv4_is_in_range": ("lab_ipv4_in(CAST({0} AS VARCHAR), CAST({1} AS VARCHAR))", (2,)),
    "ipv4_is_match": ("lab_ipv4_in(CAST({0} AS VARCHAR), CAST({1} AS VARCHAR))", (2,)),
    "ipv4_is_in_any_range": ("lab_ipv4_in_any(CAST({0} AS VARCHAR), CAST(CAST({1} AS JSON) AS VARCHAR[]))", (2,)),
    "ipv4_is_private": ("lab_ipv4_private(CAST({0} AS VARCHAR))", (1,)),
    "ipv6_is_match": ("lab_ipv6_in(CAST({0} AS VARCHAR), CAST({1} AS VARCHAR))", (2,)),
    # rows of the lab arrive when TimeGenerated says
    "ingestion_time": ('"TimeGenerated"', ()),
}
_AGGREGATES = {
    "maxif": ("max({0}) FILTER (WHERE {1})", (2,)),
    "minif": ("min({0}) FILTER (WHERE {1})", (2,)),
}


def register() -> None:
    """Add the rows to duckdb-kql's tables. Harmless to repeat; a function that upstream gains one day wins."""
    from duckdb_kql.translate import functions

    for name, (template, arities) in _SCALARS.items():
        functions.SCALAR_FUNCTIONS.setdefault(name, functions.FunctionSpec(name, "template", template, arities))
    for name, (template, arities) in _AGGREGATES.items():
        functions.AGGREGATE_FUNCTIONS.setdefault(name, functions.AggregateSpec(name, template, arities))
