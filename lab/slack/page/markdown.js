// Standard Markdown, as far as markdown blocks need it: headings, lists, quotes, tables, code, emphasis, links.

import { el } from "./dom.js";
import { linkNode, withEmoji } from "./mrkdwn.js";

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|__(.+?)__|\*([^*\s][^*]*)\*|_([^_\s][^_]*)_|~~(.+?)~~|\[([^\]]*)\]\(([^)\s]+)\)/;

function inline(text) {
  const nodes = [];
  while (text) {
    const match = INLINE.exec(text);
    if (!match) break;
    nodes.push(withEmoji(text.slice(0, match.index)));
    const [, code, bold, bold2, italic, italic2, strike, label, url] = match;
    if (code) nodes.push(el("code", {}, code));
    else if (bold ?? bold2) nodes.push(el("b", {}, inline(bold ?? bold2)));
    else if (italic ?? italic2) nodes.push(el("i", {}, inline(italic ?? italic2)));
    else if (strike) nodes.push(el("s", {}, inline(strike)));
    else nodes.push(linkNode(url, label));
    text = text.slice(match.index + match[0].length);
  }
  return [...nodes, withEmoji(text)];
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

export function markdown(text) {
  const rows = text.split("\n");
  const nodes = [];
  for (let index = 0; index < rows.length; ) index = block(rows, index, nodes);
  return nodes;
}

function block(rows, index, nodes) {
  const line = rows[index];
  const run = (pattern) => {
    let end = index;
    while (end < rows.length && pattern.test(rows[end])) end += 1;
    return rows.slice(index, end);
  };
  if (/^```/.test(line)) {
    let end = index + 1;
    while (end < rows.length && !/^```/.test(rows[end])) end += 1;
    nodes.push(el("pre", {}, el("code", {}, rows.slice(index + 1, end).join("\n"))));
    return end + 1;
  }
  const heading = /^(#{1,6}) (.*)/.exec(line);
  if (heading) {
    nodes.push(el("div", { class: "heading", role: "heading", "aria-level": heading[1].length }, inline(heading[2])));
    return index + 1;
  }
  if (/^\s*\|/.test(line) && /^\s*\|?[\s:|-]+$/.test(rows[index + 1] ?? "")) {
    const table = run(/^\s*\|/);
    const row = (kind) => (text) => el("tr", {}, cells(text).map((cell) => el(kind, {}, inline(cell))));
    nodes.push(el("table", {}, row("th")(table[0]), table.slice(2).map(row("td"))));
    return index + table.length;
  }
  for (const [tag, pattern] of [["ul", /^\s*[-*] /], ["ol", /^\s*\d+\. /]]) {
    if (!pattern.test(line)) continue;
    const items = run(pattern);
    nodes.push(el(tag, {}, items.map((item) => el("li", {}, inline(item.replace(pattern, ""))))));
    return index + items.length;
  }
  if (/^> ?/.test(line)) {
    const quoted = run(/^>/);
    nodes.push(el("blockquote", {}, quoted.map((one) => el("div", {}, inline(one.replace(/^> ?/, ""))))));
    return index + quoted.length;
  }
  if (/^(---|\*\*\*)\s*$/.test(line)) nodes.push(el("hr"));
  else if (line.trim()) nodes.push(el("p", {}, inline(line)));
  return index + 1;
}
