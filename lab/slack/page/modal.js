// The modal in front, and what is typed into it.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { byId, el, fill, stableId } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { heard, tr } from "./words.js";

const text = (object, fallback) => (object ? plain(object.text) : fallback);

/** Inputs as the control API takes them: { block id: { action id: value } }. */
export function given(inputs) {
  const values = {};
  for (const [key, value] of inputs) {
    const [block, action] = JSON.parse(key);
    values[block] = { ...values[block], [action]: value };
  }
  return values;
}

export function drawModal(stack, page) {
  const box = byId("modal");
  const view = stack.at(-1);
  if (!view) {
    if (box.open) box.close();
    box.dataset.view = "";
    return;
  }
  const version = JSON.stringify([view.id, view.hash, page.version({ ts: "modal" })]);
  const same = box.dataset.view === version;
  if (!same) build(box, view, stack.length, page);
  box.dataset.view = version;
  if (!box.open) box.showModal();
  if (!same) first(box)?.focus();
}

/** Where typing begins: the first field, or the button that goes on. */
const first = (box) =>
  box.querySelector(".modal-blocks :is(input:checked, input:not([type=radio]), select, textarea, button)") ??
  box.querySelector("#modal-submit, #modal-close");

function build(box, view, depth, page) {
  const inputs = page.inputsOf(view.id);
  const act = page.surface("modal", inputs, (block, element) => stableId("modal", block.block_id, element.action_id));
  const problem = el("div", { class: "problem", id: "modal-problem", role: "alert" });
  const close = (all) => post("close", { as: page.me, all });
  const submit = async (event) => {
    event.preventDefault();
    box.classList.add("busy");
    problem.textContent = "";
    for (const node of box.querySelectorAll("[data-problem]")) node.textContent = "";
    const answer = await post("submit", { as: page.me, values: given(inputs) });
    box.classList.remove("busy");
    for (const [block, why] of Object.entries(answer.errors ?? {})) {
      const node = box.querySelector(`[data-problem="${CSS.escape(block)}"]`);
      if (node) node.textContent = why;
    }
    if (!answer.ok && !answer.errors) problem.textContent = heard(answer.line ?? answer.error);
  };
  fill(
    box,
    el(
      "form",
      { id: "modal-form", onsubmit: submit, novalidate: true },
      el(
        "header",
        {},
        el("h2", {}, text(view.title, "")),
        el("button", { type: "button", class: "plain", id: "modal-x", "aria-label": tr("Close all"), onclick: () => close(true) }, "✕"),
      ),
      el("div", { class: "modal-blocks" }, blocks(view.blocks, act), problem),
      el(
        "div",
        { class: "dialog-buttons" },
        el("button", { type: "button", class: "button", id: "modal-close", onclick: () => close(false) },
          text(view.close, depth > 1 ? tr("Back") : tr("Cancel"))),
        view.submit ? el("button", { class: "button primary", id: "modal-submit" }, text(view.submit, "")) : null,
      ),
    ),
  );
  box.oncancel = (event) => {
    event.preventDefault();
    close(false);
  };
}
