"""Answers from the wire as evidence: outcome, data, time. One wording for results, reports and audit lines."""

from bot.model.probes import ConnectAnswer, DnsAnswer


def describe(answer: DnsAnswer) -> str:
    """A DNS answer: data or outcome, whose negative answer it is, transport, time."""
    data = ", ".join(str(address) for address in answer.addresses)
    soa = f" (SOA {answer.soa_owner})" if answer.soa_owner else ""
    return f"{data or answer.outcome.upper()}{soa} by {answer.transport} in {answer.elapsed_ms} ms"


def describe_connection(reply: ConnectAnswer) -> str:
    """A connection: outcome, what the peer said, time."""
    said = f" ({reply.spoke}: {reply.peer_says})" if reply.peer_says else ""
    return f"{reply.outcome}{said} in {reply.elapsed_ms} ms"
