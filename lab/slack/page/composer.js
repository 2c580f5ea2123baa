// The line people type into: commands with completion, history with the arrow keys, Enter sends.

import { textNodes } from "./blocks.js";
import { byId, el, fill, stableId } from "./dom.js";

export function composer(form, field, send, commands = () => []) {
  const list = form.querySelector("ul");
  const history = [];
  if (list) field.setAttribute("aria-controls", list.id);
  let place = 0;
  let marked = -1;

  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
  };
  const write = (text) => {
    field.value = text;
    fit();
    suggest();
  };
  const found = () => {
    const typed = field.value;
    if (!list || !typed.startsWith("/") || typed.includes(" ")) return [];
    return commands().filter((one) => one.command.startsWith(typed));
  };
  function suggest() {
    if (!list) return;
    const matches = found();
    marked = Math.min(marked, matches.length - 1);
    list.hidden = matches.length === 0;
    field.setAttribute("aria-expanded", String(!list.hidden));
    fill(
      list,
      matches.map((one, index) =>
        el(
          "li",
          {
            role: "option",
            id: stableId("suggestion", one.command),
            "aria-selected": index === marked ? "true" : "false",
            onclick: () => {
              write(`${one.command} `);
              field.focus();
            },
          },
          el("b", {}, one.command),
          " ",
          el("code", {}, one.usage_hint),
          el("small", {}, one.description),
        ),
      ),
    );
  }
  function keys(event) {
    const matches = found();
    if (event.key === "Tab" && matches.length && !event.shiftKey) {
      event.preventDefault();
      write(`${matches[Math.max(marked, 0)].command} `);
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    } else if (event.key === "ArrowDown" && matches.length) {
      event.preventDefault();
      marked = Math.min(marked + 1, matches.length - 1);
      suggest();
    } else if (event.key === "ArrowUp" && history.length && !field.value.includes("\n")) {
      event.preventDefault();
      place = Math.max(0, place - 1);
      write(history[place]);
    } else if (event.key === "ArrowDown" && place < history.length) {
      event.preventDefault();
      place += 1;
      write(history[place] ?? "");
    } else if (event.key === "Escape" && list) {
      list.hidden = true;
    }
  }
  field.addEventListener("input", () => {
    fit();
    suggest();
  });
  field.addEventListener("keydown", keys);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    history.push(text);
    place = history.length;
    write("");
    form.classList.add("busy");
    try {
      await send(text);
    } finally {
      form.classList.remove("busy");
    }
  });
}

/** A person's answer to a button's confirm object. */
export function confirmed(dialog) {
  const box = byId("confirm");
  return new Promise((resolve) => {
    fill(
      box,
      el("h2", {}, textNodes(dialog.title)),
      el("div", { class: "dialog-text" }, textNodes(dialog.text)),
      el(
        "div",
        { class: "dialog-buttons" },
        el("button", { id: "confirm-deny", class: "button", onclick: () => box.close("no") }, textNodes(dialog.deny)),
        el(
          "button",
          { id: "confirm-yes", class: `button ${dialog.style ?? "primary"}`, onclick: () => box.close("yes") },
          textNodes(dialog.confirm),
        ),
      ),
    );
    box.returnValue = "no";
    box.addEventListener("close", () => resolve(box.returnValue === "yes"), { once: true });
    box.showModal();
    byId("confirm-yes").focus();
  });
}
