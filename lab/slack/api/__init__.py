"""The Web API: one handler for each method, collected in a dict literal."""

from lab.slack.api import apps, chat, conversations, files, marks, people, views
from lab.slack.api.method import Method

METHODS: dict[str, Method] = {
    **apps.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **marks.METHODS,
    **people.METHODS,
    **views.METHODS,
}
