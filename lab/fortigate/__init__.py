"""A FortiGate that answers the FortiOS REST API over HTTPS and judges packets by itself.

`Device` is the firewall (`lab.fortigate.device`), `running` puts it on the network
(`lab.fortigate.server`), `evaluate` judges one packet (`lab.fortigate.forwarding`).
"""
