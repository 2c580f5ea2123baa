"""What the device means by its error numbers and status codes, in words that say what to do next. Pure."""

import re

from bot.model.wording import marked, tr

IN_USE = -23
TOO_SLOW = -360

_MEANINGS = {
    -1: marked("a value has the wrong length"),
    -2: marked("a number is out of range"),
    -3: marked("it refers to an object, interface or profile that does not exist"),
    -4: marked("the table is full: the device holds no more entries of this kind"),
    -5: marked("an entry with this key or name exists already"),
    -8: marked("an IP address is not valid"),
    -9: marked("a netmask is not valid"),
    -10: marked("the gateway is not valid"),
    -14: marked("the API user's access profile lacks the right"),
    -15: marked("an entry with the same content exists already under another number"),
    IN_USE: marked("it is still used by other objects"),
    -37: marked("the API user's access profile lacks the right"),
    -50: marked("a value has a bad format"),
    -51: marked("a value is too long"),
    -61: marked("the device did not understand the input"),
    -72: marked("a value has too many characters"),
    -163: marked("an address and a group cannot share a name"),
    -166: marked("the name is too long"),
    -173: marked("the text has a character that the device refuses (\" ' < >)"),
    -177: marked("the device does not move a policy past one between other interfaces"),
    -178: marked("the device does not move a policy past one between other interfaces"),
    -215: marked("the interface name is not valid"),
    TOO_SLOW: marked("the device's configuration database was too slow"),
    -361: marked("the device's configuration database took no entry"),
    -650: marked("a number is out of range"),
    -651: marked("a value is not valid, or it refers to an object or interface that does not exist in this VDOM"),
    -652: marked("two settings exclude each other"),
}

# Sub-rights of the access profile (config system accprofile) by the table they open.
_RIGHTS = {
    "firewall/address": "fwgrp.address",
    "firewall/addrgrp": "fwgrp.address",
    "firewall/policy": "fwgrp.policy",
    "firewall/policy-lookup": "fwgrp.policy",
    "router/static": "netgrp.route-cfg",
    "router/policy": "netgrp.route-cfg",
    "router/lookup": "netgrp.route-cfg",
    "firewall/session": "sysgrp.cfg",
    "firewall/sessions": "sysgrp.cfg",
    "firewall/session/close": "sysgrp.cfg",
    "firewall.service/custom": "fwgrp.service",
    "firewall.service/group": "fwgrp.service",
    "firewall.schedule/recurring": "fwgrp.schedule",
    "firewall.schedule/onetime": "fwgrp.schedule",
    "firewall.schedule/group": "fwgrp.schedule",
    "system/settings": "sysgrp.cfg",
    "system/interface": "netgrp.cfg",
    "system/zone": "netgrp.cfg",
    "system/sdwan": "netgrp.cfg",
}

# Why a policy look-up gave no result.
_LOOK_UP_ERRORS = {
    "error_unknown_route": marked("the firewall has no route to the destination"),
    "error_unknown_source_route": marked("the firewall has no route back to the source through that interface"),
    "error_invalid_request": marked("the firewall does not know that interface or did not understand the question"),
    "": marked("the firewall has no route to the source or the destination"),
}


def meaning(error: int, cli_error: str) -> str:
    """Our words for the number, then the device's own, made harmless."""
    words = tr(_MEANINGS[error]) if error in _MEANINGS else tr("the device gave no reason that k8snet knows")
    said = printable(cli_error)
    if said:
        return tr("{words} (error {error}: {said})", words=words, error=error, said=said)
    return tr("{words} (error {error})", words=words, error=error)


def look_up_error(code: str) -> str:
    """Why the policy look-up ended without a policy; old releases give no code, and mean that a route is missing."""
    if code in _LOOK_UP_ERRORS:
        return tr(_LOOK_UP_ERRORS[code])
    return tr("the firewall's policy look-up ended with {code}", code=printable(code))


def right(table: str, writing: bool) -> str:
    """What a refused call lacked."""
    if table not in _RIGHTS:
        return tr("access to {table}", table=table)
    return tr("the right {right} {access}", right=_RIGHTS[table], access="read-write" if writing else "read")


def printable(text: str) -> str:
    """One short line of printable ASCII: a device's words never shape a message of ours."""
    plain = re.sub(r"Command fail\. Return code -?\d+", "", text)
    return " ".join(re.sub(r"[^\x20-\x7e]|[`*~<>&|]", " ", plain).split())[:160]
