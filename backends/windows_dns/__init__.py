"""Conditional forwarders of a Windows DNS server, over WinRM."""
