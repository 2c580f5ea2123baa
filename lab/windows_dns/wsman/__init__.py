"""WS-Management: the HTTP side of a Windows Remote Shell."""
