"""Texts of the DNS modules. They are localised on a real machine, so nobody may rely on them; ids and codes are not."""

from __future__ import annotations

_TEXTS: dict[str, dict[str, str]] = {
    "en-US": {
        "add": "Failed to create zone {zone} on server {server}.",
        "set": "Failed to modify zone {zone} on server {server}.",
        "remove": "Failed to remove zone {zone} on server {server}.",
        "get": "Failed to get the zone information for {zone} on server {server}.",
        "list": "Failed to enumerate zones from the server {server}.",
        "clear": "Failed to clear the DNS server cache on server {server}.",
        "settings": "Failed to get the settings of the DNS server {server}.",
        "missing": "The zone {zone} was not found on server {server}.",
        "partition": "The input replication scope and directory partition are either incorrect or incompatible.",
        "name_error": "{name} : DNS name does not exist",
        "server_failure": "{name} : DNS server failure",
        "refused": "{name} : DNS operation refused",
        "timeout": "{name} : This operation returned because the timeout period expired",
        "bad_name": "{name} : DNS name contains an invalid character",
        "remove_question": "This operation will remove the zone {zone} from server {server}. Do you want to continue?",
        "clear_question": "This operation will clear the cache of server {server}. Do you want to continue?",
    },
    "de-DE": {
        "add": "Fehler beim Erstellen der Zone {zone} auf Server {server}.",
        "set": "Fehler beim Ändern der Zone {zone} auf Server {server}.",
        "remove": "Fehler beim Entfernen der Zone {zone} auf Server {server}.",
        "get": "Fehler beim Abrufen der Zoneninformationen für {zone} auf Server {server}.",
        "list": "Fehler beim Auflisten der Zonen auf Server {server}.",
        "clear": "Fehler beim Löschen des DNS-Servercaches auf Server {server}.",
        "settings": "Fehler beim Abrufen der Einstellungen des DNS-Servers {server}.",
        "missing": "Die Zone {zone} wurde auf Server {server} nicht gefunden.",
        "partition": "Der Replikationsbereich und die Verzeichnispartition sind falsch oder passen nicht zueinander.",
        "name_error": "{name} : Der DNS-Name ist nicht vorhanden",
        "server_failure": "{name} : DNS-Serverfehler",
        "refused": "{name} : DNS-Vorgang verweigert",
        "timeout": "{name} : Dieser Vorgang wurde wegen Zeitüberschreitung zurückgegeben",
        "bad_name": "{name} : Der DNS-Name enthält ein ungültiges Zeichen",
        "remove_question": "Die Zone {zone} wird von Server {server} entfernt. Möchten Sie fortfahren?",
        "clear_question": "Der Cache von Server {server} wird gelöscht. Möchten Sie fortfahren?",
    },
}


def text(language: str, key: str, **values: str) -> str:
    return _TEXTS[language][key].format(**values)
