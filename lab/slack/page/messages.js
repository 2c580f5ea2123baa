// Messages: one element for each, drawn again only when something about it has changed.

import { blocks } from "./blocks.js";
import { el, stableId } from "./dom.js";
import { mrkdwn, withEmoji } from "./mrkdwn.js";
import { heard, tr } from "./words.js";

const time = (ts) => {
  const when = new Date(Number(ts) * 1000);
  return `${String(when.getHours()).padStart(2, "0")}:${String(when.getMinutes()).padStart(2, "0")}`;
};

function avatar(person) {
  const letter = person.is_bot ? "⎈" : person.real_name.slice(0, 1);
  const node = el("span", { class: "avatar", "aria-hidden": "true" }, letter);
  node.style.backgroundColor = `#${person.color}`;
  return node;
}

const watched = new WeakSet();

/** Go to the list's end, and stay there until somebody scrolls away: also when pictures or windows change size. */
export function follow(list) {
  list.follow = true;
  if (watched.has(list)) return;
  watched.add(list);
  for (const name of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    list.addEventListener(name, () => { list.byHand = true; }, { passive: true });
  }
  list.addEventListener("scroll", () => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    if (atEnd || list.byHand) list.follow = atEnd; // a layout that moved has nothing to say about what people want
  });
  list.addEventListener("load", () => toEnd(list), true);
  new ResizeObserver(() => toEnd(list)).observe(list);
  // Two resizes within one frame leave the observer's size as it was, but the place in the list cut short.
  window.addEventListener("resize", () => toEnd(list));
}

function toEnd(list) {
  if (!list.follow) return;
  list.byHand = false;
  list.scrollTop = list.scrollHeight;
}

/** Give `list` these messages. `page` supplies act(message), person(id), spoken, openThread, react. */
export function drawMessages(list, messages, page, { inThread = false } = {}) {
  if (!watched.has(list)) follow(list);
  const old = new Map([...list.children].map((node) => [node.dataset.ts, node]));
  let previous = null;
  const nodes = messages.map((message) => {
    const follows = previous && previous.user === message.user && message.ts - previous.ts < 300 && !previous.error;
    previous = message;
    const version = JSON.stringify([message, page.version(message), page.spoken, follows, page.me]);
    const known = old.get(message.ts);
    if (known?.version === version) return known;
    const node = draw(message, page, follows, inThread);
    node.version = version;
    return node;
  });
  const active = document.activeElement?.id;
  list.replaceChildren(...nodes);
  if (active && !document.activeElement?.id) document.getElementById(active)?.focus();
  toEnd(list);
}

function draw(message, page, follows, inThread) {
  const author = page.person(message.user);
  const classes = ["message", follows && "follows", message.ephemeral && "ephemeral", message.error && "error"];
  return el(
    "article",
    {
      class: classes.filter(Boolean).join(" "),
      id: stableId(inThread ? "reply" : "msg", message.ts),
      "data-ts": message.ts,
      "aria-label": tr("{who} at {time}", { who: author.name, time: time(message.ts) }),
    },
    follows ? el("span", { class: "gutter" }, time(message.ts)) : avatar(author),
    el(
      "div",
      { class: "body" },
      message.ephemeral ? el("div", { class: "only-you" }, tr("👁 Only visible to you")) : null,
      message.pinned ? el("div", { class: "only-you" }, tr("📌 Pinned")) : null,
      follows ? null : heading(author, message),
      page.spoken ? el("div", { class: "spoken" }, message.spoken || tr("(nothing to read)")) : content(message, page, inThread),
      footer(message, page, inThread),
    ),
  );
}

function heading(author, message) {
  return el(
    "div",
    { class: "who" },
    el("b", {}, author.name),
    author.is_bot ? el("span", { class: "app-tag" }, tr("APP")) : null,
    author.is_external ? el("span", { class: "app-tag" }, tr("EXTERNAL")) : null,
    el("time", {}, time(message.ts)),
  );
}

function content(message, page, inThread) {
  const act = page.act(message, inThread);
  return [
    message.blocks
      ? blocks(message.blocks, act)
      : el("div", { class: "text" }, message.error ? "⚠ " : "", mrkdwn(message.error ? heard(message.text) : message.text)),
    message.edited ? el("small", { class: "edited" }, tr("(edited)")) : null,
    (message.attachments ?? []).map((one) =>
      el("div", { class: "attachment" }, one.blocks ? blocks(one.blocks, act) : mrkdwn(one.text ?? "")),
    ),
    (message.files ?? []).map(file),
  ];
}

function file(one) {
  if (one.mimetype.startsWith("image/")) return el("img", { class: "upload", src: `/files/${one.id}`, alt: one.title });
  const preview = el("pre", { class: "preview" });
  fetch(`/files/${one.id}`)
    .then((response) => response.text())
    .then((text) => preview.append(text.split("\n").slice(0, 8).join("\n")));
  return el(
    "div",
    { class: "file" },
    el("a", { href: `/files/${one.id}`, target: "_blank" }, `📄 ${one.title}`),
    el("small", {}, tr(" {size} bytes", { size: one.size })),
    preview,
  );
}

function footer(message, page, inThread) {
  const reactions = (message.reactions ?? []).map((one) =>
    el(
      "button",
      {
        class: `reaction ${one.users.includes(page.me) ? "mine" : ""}`,
        "aria-label": `${one.name}, ${one.count}`,
        onclick: () => page.react(message, one.name),
      },
      withEmoji(`:${one.name}:`),
      ` ${one.count}`,
    ),
  );
  const replies = message.reply_count ?? 0;
  const thread =
    inThread || message.ephemeral || message.error
      ? null
      : el(
          "button",
          {
            class: `thread-link ${replies ? "" : "quiet"}`,
            id: stableId("thread", message.ts),
            onclick: () => page.openThread(message.thread_ts ?? message.ts),
          },
          !replies ? tr("Reply in thread") : replies === 1 ? tr("1 reply") : tr("{count} replies", { count: replies }),
        );
  return reactions.length || thread ? el("div", { class: "foot" }, reactions, thread) : null;
}
