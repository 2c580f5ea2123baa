// Slack's mrkdwn as DOM nodes.

import { el } from "./dom.js";
import { spoken } from "./words.js";

let emoji = {};
let directory = { people: [], channels: [], groups: [] };

export const useEmoji = (table) => { emoji = table; };
export const useDirectory = (state) => { directory = state; };

const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
export const withEmoji = (text) => text.replace(/:([a-z0-9_+'-]+):/g, (whole, name) => emoji[name] ?? whole);

/** plain_text: only emoji names mean something. */
export const plain = (text) => withEmoji(text);

export function mrkdwn(text) {
  const nodes = [];
  const fence = /```\n?([\s\S]*?)\n?```/g;
  let end = 0;
  for (const match of text.matchAll(fence)) {
    nodes.push(...lines(text.slice(end, match.index).replace(/\n$/, "")));
    nodes.push(el("pre", {}, el("code", {}, literal(match[1]))));
    end = match.index + match[0].length;
  }
  nodes.push(...lines(end ? text.slice(end).replace(/^\n/, "") : text));
  return nodes;
}

function lines(text) {
  if (!text) return [];
  const nodes = [];
  let quote = null;
  text.split("\n").forEach((line, index) => {
    const quoted = /^(?:>|&gt;) ?/.exec(line);
    if (quoted) {
      if (!quote) nodes.push((quote = el("blockquote")));
      else quote.append(el("br"));
      quote.append(...inline(line.slice(quoted[0].length)));
    } else {
      if (index && !quote) nodes.push(el("br"));
      quote = null;
      nodes.push(...inline(line));
    }
  });
  return nodes;
}

const INLINE = new RegExp(
  "`(?<code>[^`\\n]+)`|<(?<control>[^<>\\n]+)>" +
    "|(?<![\\w*])\\*(?<bold>\\S(?:[^*\\n]*\\S)?)\\*(?![\\w*])" +
    "|(?<![\\w_])_(?<italic>\\S(?:[^_\\n]*\\S)?)_(?![\\w_])" +
    "|(?<![\\w~])~(?<strike>\\S(?:[^~\\n]*\\S)?)~(?![\\w~])",
);

function inline(text) {
  const nodes = [];
  while (text) {
    const match = INLINE.exec(text);
    if (!match) break;
    if (match.index) nodes.push(literal(text.slice(0, match.index), true));
    const { code, control, bold, italic, strike } = match.groups;
    if (code !== undefined) nodes.push(el("code", {}, literal(code)));
    else if (control !== undefined) nodes.push(controlNode(control));
    else if (bold !== undefined) nodes.push(el("b", {}, inline(bold)));
    else if (italic !== undefined) nodes.push(el("i", {}, inline(italic)));
    else nodes.push(el("s", {}, inline(strike)));
    text = text.slice(match.index + match[0].length);
  }
  if (text) nodes.push(literal(text, true));
  return nodes;
}

function literal(text, emojiToo = false) {
  const clean = unescape(text.replace(/<(https?:[^<>|]+)(?:\|([^<>]*))?>/g, (whole, url, label) => label || url));
  return document.createTextNode(emojiToo ? withEmoji(clean) : clean);
}

function controlNode(inside) {
  const [target, ...rest] = inside.split("|");
  const label = rest.join("|");
  if (target.startsWith("@")) return userNode(target.slice(1), label);
  if (target.startsWith("#")) return channelNode(target.slice(1), label);
  if (target.startsWith("!subteam^")) return groupNode(target.slice(9), label);
  if (target.startsWith("!date^")) return dateNode(target.split("^"), label);
  if (target.startsWith("!")) return broadcastNode(target.slice(1));
  return linkNode(unescape(target), unescape(label));
}

export function userNode(id, label = "") {
  const person = directory.people.find((one) => one.id === id);
  return el("span", { class: "mention" }, `@${person?.name ?? (label || id)}`);
}

export function channelNode(id, label = "") {
  const channel = directory.channels.find((one) => one.id === id);
  return el("span", { class: "mention" }, `#${channel?.name ?? (label || "private-channel")}`);
}

export function groupNode(id, label = "") {
  const group = directory.groups.find((one) => one.id === id);
  return el("span", { class: "mention" }, `@${group?.handle ?? (label.replace(/^@/, "") || id)}`);
}

/** Loud on purpose: an injected <!channel> must catch the eye. */
export const broadcastNode = (range) => el("span", { class: "mention loud" }, `@${range}`);

export function linkNode(url, label) {
  if (!/^(https?|mailto|tel):/i.test(url)) return document.createTextNode(label || url);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: url }, label || url);
}

export function dateNode([, unix, pattern, url], fallback) {
  const text = formatDate(Number(unix), pattern, fallback);
  return url ? linkNode(url, text) : el("time", { title: fallback }, text);
}

export function formatDate(unix, pattern, fallback = "") {
  const when = new Date(unix * 1000);
  if (!Number.isFinite(unix) || !pattern) return fallback;
  const day = (options) => when.toLocaleDateString(spoken(), options);
  const two = (number) => String(number).padStart(2, "0");
  const known = {
    date_num: `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`,
    time: `${two(when.getHours())}:${two(when.getMinutes())}`,
    time_secs: `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`,
    date: day({ month: "long", day: "numeric", year: "numeric" }),
    date_short: day({ month: "short", day: "numeric", year: "numeric" }),
    date_long: day({ weekday: "long", month: "long", day: "numeric", year: "numeric" }),
    ago: when.toLocaleString(spoken()),
  };
  return pattern.replace(/\{(\w+?)(?:_pretty)?\}/g, (whole, name) => known[name] ?? whole);
}
