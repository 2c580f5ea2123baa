"""Names of machines, as people write them into app.yaml."""


def possible_host(name: str | None) -> bool:
    """Whether this is an address or a name that a resolver can be asked for.

    Python's own raises UnicodeError for an empty label or one of more than 63 octets, far from whoever wrote it.
    """
    if not name or not name.isprintable() or " " in name:
        return False
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True
