// What the page says, in the language of whoever looks. English is written where it is used and is its own key;
// zh-CN.js translates it. What the server says in English is found there, too: see `heard`.

import chinese from "./zh-CN.js";

const KEPT = "language";
const CATALOGUES = { en: {}, "zh-CN": chinese };
let language = "en";
let texts = {};

// Texts of the server with values in them, which come to the page filled in.
const marked = (text) => text;
const FILLED_IN = [
  marked("Kill the gateway {node}"),
  marked('{command} failed with the error "{code}"'),
  marked("`{command}` is not supported in threads. Sorry!"),
  marked("`{command}` is not a valid command."),
  marked('The app did not respond within three seconds to "{button}" ({code})'),
  marked("The app did not respond within three seconds ({code})"),
];

export const spoken = () => language;

/** As asked for in the address, as chosen here before, as the server was started with, or English. */
export function speak(offered) {
  const asked = [new URLSearchParams(location.search).get("lang"), localStorage.getItem(KEPT), offered];
  language = asked.find((one) => one in CATALOGUES) ?? "en";
  texts = CATALOGUES[language];
  document.documentElement.lang = language;
}

/** From the next load on. */
export function choose(wanted) {
  localStorage.setItem(KEPT, wanted);
  const address = new URL(location.href);
  address.searchParams.delete("lang");
  location.assign(address);
}

/** A text of the page in the language in force, its {names} replaced. */
export function tr(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A text that the server wrote in English, as far as the catalogue knows it. */
export function heard(text) {
  if (text in texts) return texts[text];
  for (const template of FILLED_IN) {
    const match = new RegExp(`^${pattern(template)}$`).exec(text);
    if (match) return tr(template, match.groups);
  }
  return text;
}

const pattern = (template) =>
  template.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+?)");

/** The texts that stand in the page itself, once, before anything is drawn into it. */
export function translatePage() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    if (text) walker.currentNode.data = walker.currentNode.data.replace(text, () => tr(text));
  }
  for (const name of ["aria-label", "title", "placeholder"]) {
    for (const node of document.body.querySelectorAll(`[${name}]`)) node.setAttribute(name, tr(node.getAttribute(name)));
  }
}
