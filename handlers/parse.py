"""From what people type, and what chat clients make of it, to commands. Pure."""

import re
import unicodedata
from typing import Any

from bot.model.commands import COMMANDS, SPEC, TYPES, Command, Expose, Help, Unexpose, options, subject, typed
from bot.model.errors import UserError
from bot.model.people import Person
from bot.model.suggest import suggestion
from bot.model.value import Value
from bot.model.wording import listed, tr
from handlers.views import form

MAX_LENGTH = 1000

# Slack's clients replace what was typed: see the sources named in `clean`.
_QUOTES = str.maketrans({**dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’‚", "'"), **dict.fromkeys("–—‑‐", "-")})
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_LINK = re.compile(r"<(?:https?|mailto):[^<>|]*\|([^<>|]*)>")
_BARE_LINK = re.compile(r"<https?://([^<>|]*?)/?>")


def clean(text: str) -> str:
    """Undo what chat clients do to text: links, entities, typographic quotes and dashes, invisible characters, spaces.

    The cases are those of Slack's documentation on escaping and of bug reports of other bots (smart quotes, NBSP).
    """
    text = _LINK.sub(r"\1", text)
    text = _BARE_LINK.sub(r"\1", text)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)
    return " ".join(text.split())


def command(text: str) -> Command:
    """The command of a line such as `expose default because sprint 12`.

    Raises UserError that says what is wrong and how to type it; an unknown verb gets the nearest known one.
    """
    if len(text) > MAX_LENGTH:
        raise UserError(
            tr("That is {count} characters long; a command has at most {most}.", count=len(text), most=MAX_LENGTH)
        )
    verb, _, rest = clean(text).partition(" ")
    verb = verb.lower()
    if not verb:
        return Help()
    if verb not in SPEC:
        known = listed(spec.verb for spec in COMMANDS)
        raise UserError(
            tr(
                "I do not know {word!r}.{suggestion} Commands: {commands}.",
                word=verb[:40],
                suggestion=suggestion(verb, SPEC),
                commands=known,
            )
        )
    if verb == "help":
        return Help()
    return TYPES[verb].model_validate(_words(verb, rest))  # type: ignore[return-value]  # these types are the commands


def _usage(verb: str) -> str:
    return tr(SPEC[verb].usage)


def _words(verb: str, rest: str) -> dict[str, str]:
    """`[<subject>] [<preposition> <word>] … [because <reason>]` as a mapping of what is there, by field."""
    field, prepositions = subject(verb), options(verb)
    if rest and field is None and not prepositions:
        raise UserError(tr("`{verb}` takes nothing after it.", verb=verb))
    first, _, after = rest.partition(" ")
    none = not first or first in {*prepositions, *dict(SPEC[verb].without), "because"}
    if field is None or none:
        if field is not None and TYPES[verb].model_fields[field].is_required():
            raise UserError(tr("`{verb}` needs to know what. Type: {usage}", verb=verb, usage=_usage(verb)))
        return _options(verb, rest, prepositions)
    name = first.strip("\"'`")  # as names stand in texts that people copy from
    return {field: name, **_options(verb, after, prepositions)}


def _options(verb: str, rest: str, prepositions: dict[str, str]) -> dict[str, str]:
    head, because, reason = f" {rest} ".partition(" because ")
    found: dict[str, str] = {}
    words = head.split()
    while words:
        word = words.pop(0)
        if word in (reasons := dict(SPEC[verb].without)):
            raise UserError(tr(reasons[word], usage=_usage(verb)))
        field = prepositions.get(word)
        if field is None or not words or field in found:
            raise UserError(tr("I do not understand {word!r} there. Type: {usage}", word=word[:40], usage=_usage(verb)))
        found[field] = words.pop(0)
    if because and "because" not in prepositions:
        raise UserError(
            tr("`{verb}` changes nothing and takes no reason. Type: {usage}", verb=verb, usage=_usage(verb))
        )
    if because and not reason.strip():
        raise UserError(tr("`because` needs a reason after it. Type: {usage}", usage=_usage(verb)))
    return {**found, "reason": reason.strip()} if because else found


class Typed(Value):
    """A slash command as Slack delivered it. `delivery` is unique per typed command."""

    actor: Person
    channel: str
    text: str
    delivery: str


class Click(Value):
    """A click on a button of ours: who, where, which button, and the value it carries; nothing else is trusted."""

    actor: Person
    channel: str
    action: str
    value: str
    delivery: str


class Submission(Value):
    """A form that was sent, as the line one would have typed."""

    actor: Person
    channel: str
    text: str
    delivery: str


def typed_line(body: dict[str, Any]) -> Typed:
    """Raises KeyError for a body that is no slash command; Bolt routes no other here."""
    return Typed(
        actor=Person(team=body["team_id"], user=body["user_id"]),
        channel=body["channel_id"],
        text=body.get("text", ""),
        delivery=body["trigger_id"],
    )


def submission(body: dict[str, Any]) -> Submission:
    """The form of handlers/views/form.py. What its fields hold is judged like anything that was typed.

    Raises UserError for a form that some other version of the bot has opened.
    """
    fields = form.sent(body["view"]["state"]["values"])
    change = {"expose": Expose, "unexpose": Unexpose}.get(fields.get("what", ""))
    if change is None or not {"namespace", "channel"} <= fields.keys():
        raise UserError(tr("This form is of another version of k8snet; nothing was asked for. Type `/k8snet` again."))
    cluster, _, namespace = fields["namespace"].partition("/")
    wish = change(
        namespace=namespace, cluster=cluster, office=fields.get("office"), reason=clean(fields.get("reason", ""))
    )
    return Submission(
        actor=_actor(body),
        channel=fields["channel"],
        text=typed(wish),
        delivery=body["trigger_id"],
    )


def _actor(body: dict[str, Any]) -> Person:
    """The person's own team counts, not the channel's: people of other workspaces can click in shared channels."""
    user = body["user"]
    return Person(team=user.get("team_id") or body["team"]["id"], user=user["id"])


def click(body: dict[str, Any]) -> Click:
    """Raises KeyError for a body that is no click on an element of ours; Bolt routes no other here."""
    action = body["actions"][0]
    return Click(
        actor=_actor(body),
        channel=(body.get("channel") or {}).get("id", ""),
        action=action["action_id"],
        value=action.get("value", ""),
        delivery=body["trigger_id"],
    )
