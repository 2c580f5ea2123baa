"""FortiGate firewalls through the FortiOS REST API (6.4 to 7.6): addresses, groups, static routes, policies."""
