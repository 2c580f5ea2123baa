// Block Kit as DOM nodes. `act` tells what to do with elements that can be operated:
// { press(block, element, value), state(block, element) -> "busy" | "failed" | undefined, id(block, element), inputs }.

import { el } from "./dom.js";
import { formatDate, broadcastNode, channelNode, groupNode, linkNode, mrkdwn, plain, userNode, withEmoji } from "./mrkdwn.js";
import { markdown } from "./markdown.js";
import { control } from "./controls.js";
import { tr } from "./words.js";

export const blocks = (list, act) => (list ?? []).map((block) => blockNode(block, act));

export const textNodes = (text) => (text.type === "mrkdwn" ? mrkdwn(text.text) : [plain(text.text)]);

function blockNode(block, act) {
  const draw = DRAW[block.type];
  const content = draw ? draw(block, act) : [el("em", {}, `[${block.type}]`)];
  return el("div", { class: `block ${block.type}`, "data-block-id": block.block_id }, content);
}

const DRAW = {
  section: (block, act) => [
    el(
      "div",
      { class: "section-text" },
      block.text ? el("div", {}, textNodes(block.text)) : null,
      block.fields ? el("div", { class: "fields" }, block.fields.map((one) => el("div", {}, textNodes(one)))) : null,
    ),
    block.accessory ? el("div", { class: "accessory" }, element(block, block.accessory, act)) : null,
  ],
  header: (block) => el("div", { class: "heading", role: "heading", "aria-level": "3" }, textNodes(block.text)),
  divider: () => el("hr"),
  context: (block) => block.elements.map((one) => (one.type === "image" ? image(one) : el("span", {}, textNodes(one)))),
  actions: (block, act) => block.elements.map((one) => element(block, one, act)),
  context_actions: (block, act) => block.elements.map((one) => element(block, one, act)),
  image: (block) => [block.title ? el("div", { class: "title" }, textNodes(block.title)) : null, image(block)],
  rich_text: (block) => block.elements.map(rich),
  markdown: (block) => markdown(block.text),
  table: (block) => table(block),
  input: (block, act) => input(block, act),
};

function element(block, one, act) {
  if (one.type === "image") return image(one);
  return control(block, one, act);
}

/** Pictures are shown only when they were uploaded here; addresses elsewhere are never fetched. */
function image(one) {
  const id = one.slack_file?.id;
  if (id) return el("img", { src: `/files/${id}`, alt: one.alt_text });
  return el("span", { class: "picture", title: one.image_url }, `🖼 ${one.alt_text}`);
}

function input(block, act) {
  const id = act.id(block, block.element);
  return [
    el("label", { for: id, id: `${id}-label` }, textNodes(block.label), block.optional ? el("small", {}, tr(" (optional)")) : null),
    control(block, block.element, act),
    block.hint ? el("small", { class: "hint" }, textNodes(block.hint)) : null,
    el("div", { class: "problem", "data-problem": block.block_id, role: "alert" }),
  ];
}

function table(block) {
  const settings = block.column_settings ?? [];
  const cell = (one, index, tag) => {
    const content = one.type === "rich_text" ? one.elements.map(rich) : String(one.text ?? one.value);
    return el(tag, { class: `align-${settings[index]?.align ?? "left"}` }, content);
  };
  const [head, ...rest] = block.rows;
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, head.map((one, index) => cell(one, index, "th")))),
      el("tbody", {}, rest.map((row) => el("tr", {}, row.map((one, index) => cell(one, index, "td"))))),
    ),
  );
}

function rich(node) {
  const inside = () => node.elements.map(leaf);
  switch (node.type) {
    case "rich_text_list":
      return el(
        node.style === "ordered" ? "ol" : "ul",
        { class: `indent-${node.indent ?? 0}`, start: node.offset ? node.offset + 1 : null },
        node.elements.map((item) => el("li", {}, item.elements.map(leaf))),
      );
    case "rich_text_preformatted":
      return el("pre", {}, el("code", {}, inside()));
    case "rich_text_quote":
      return el("blockquote", {}, inside());
    default:
      return el("div", {}, inside());
  }
}

function leaf(one) {
  const make = LEAF[one.type];
  let node = make ? make(one) : document.createTextNode("");
  const style = one.style ?? {};
  for (const [name, tag] of [["code", "code"], ["bold", "b"], ["italic", "i"], ["strike", "s"], ["underline", "u"]]) {
    if (style[name]) node = el(tag, {}, node);
  }
  return node;
}

const LEAF = {
  text: (one) => el("span", { class: "literal" }, one.text),
  link: (one) => linkNode(one.url, one.text),
  user: (one) => userNode(one.user_id),
  channel: (one) => channelNode(one.channel_id),
  usergroup: (one) => groupNode(one.usergroup_id),
  broadcast: (one) => broadcastNode(one.range),
  emoji: (one) => document.createTextNode(withEmoji(`:${one.name}:`)),
  date: (one) => el("time", {}, formatDate(one.timestamp, one.format, one.fallback)),
  color: (one) => el("code", {}, one.value),
};
