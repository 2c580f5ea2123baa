// The live network beside the chat, drawn from GET /lab/network:
// { title, nodes: [{ id, label, detail?, row?, state? }], links: [{ from, to, label?, state? }],
//   tables: [{ title, columns, rows }], switches: [{ id, label, on }] }
//   packet?: { number, path: [node id, …], arrived } }
// state: "ok", "down", "warn", "off" or "active". Nodes with the same `row` stand side by side.
// A packet with a new number travels along its path once.

import { get, post } from "./api.js";
import { byId, el, fill } from "./dom.js";
import { heard, tr } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const HOP_MS = 350;
let shown = "";
let travelled = 0;
let resized = new ResizeObserver(() => {});

export async function refreshNetwork() {
  const picture = await get("network");
  const version = JSON.stringify(picture);
  if (picture.ok === false || version === shown) return;
  shown = version;
  draw(picture);
}

function draw(picture) {
  const drawing = el("div", { class: "hops" });
  const rows = new Map();
  (picture.nodes ?? []).forEach((node, index) => {
    const row = node.row ?? index;
    rows.set(row, [...(rows.get(row) ?? []), node]);
  });
  for (const [, nodes] of [...rows].sort(([one], [other]) => one - other)) {
    drawing.append(el("div", { class: "hop-row" }, nodes.map(box)));
  }
  fill(
    byId("network"),
    el("h2", {}, heard(picture.title ?? "Network")),
    drawing,
    picture.switches?.length ? el("h3", {}, tr("Break something, mend it again")) : null,
    el("div", { class: "switches" }, (picture.switches ?? []).map(toggle)),
    (picture.tables ?? []).map(table),
  );
  resized.disconnect();
  resized = new ResizeObserver(() => connect(drawing, picture.links ?? []));
  resized.observe(drawing);
  if (picture.packet && picture.packet.number !== travelled) {
    travelled = picture.packet.number;
    travel(drawing, picture.packet);
  }
}

/** A dot from box to box; it ends green where it arrived, red where it got lost. */
function travel(drawing, packet) {
  const origin = drawing.getBoundingClientRect();
  if (!origin.width) return; // nobody sees it
  const stops = packet.path
    .map((id) => drawing.querySelector(`[data-node="${CSS.escape(id)}"]`))
    .filter(Boolean)
    .map((node) => node.getBoundingClientRect())
    .map((box) => [box.left + box.width / 2 - origin.left, box.top + box.height / 2 - origin.top]);
  if (stops.length < 2 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const dot = el("div", { class: `packet ${packet.arrived ? "arrived" : "lost"}`, "aria-hidden": "true" });
  drawing.append(dot);
  const frames = stops.map(([x, y]) => ({ transform: `translate(${x}px, ${y}px)` }));
  const journey = dot.animate(frames, { duration: HOP_MS * (stops.length - 1), easing: "ease-in-out", fill: "forwards" });
  journey.onfinish = () => setTimeout(() => dot.remove(), HOP_MS);
}

function box(node) {
  return el(
    "div",
    { class: `hop ${node.state ?? "ok"}`, "data-node": node.id, title: node.state ? heard(node.state) : "" },
    el("b", {}, heard(node.label ?? node.id)),
    node.detail ? el("small", {}, heard(node.detail)) : null,
  );
}

function connect(drawing, links) {
  const svg = document.createElementNS(SVG, "svg");
  const origin = drawing.getBoundingClientRect();
  svg.setAttribute("aria-hidden", "true");
  for (const link of links) {
    const ends = [link.from, link.to].map((id) => drawing.querySelector(`[data-node="${CSS.escape(id)}"]`));
    if (ends.includes(null)) continue;
    const [a, b] = ends.map((node) => node.getBoundingClientRect());
    const downward = a.top <= b.top;
    const line = document.createElementNS(SVG, "line");
    const set = (name, value) => line.setAttribute(name, value);
    set("x1", a.left + a.width / 2 - origin.left);
    set("x2", b.left + b.width / 2 - origin.left);
    const sameRow = Math.abs(a.top - b.top) < 2;
    set("y1", sameRow ? a.top + a.height / 2 - origin.top : (downward ? a.bottom : a.top) - origin.top);
    set("y2", sameRow ? b.top + b.height / 2 - origin.top : (downward ? b.top : b.bottom) - origin.top);
    set("class", `link ${link.state ?? "ok"}`);
    svg.append(line);
  }
  drawing.querySelector("svg")?.remove();
  drawing.prepend(svg);
}

function toggle(one) {
  return el(
    "button",
    {
      class: `switch ${one.on ? "on" : ""}`,
      id: `switch-${one.id}`,
      role: "switch",
      "aria-checked": one.on ? "true" : "false",
      onclick: async () => {
        await post("network/switch", { id: one.id, on: !one.on });
        await refreshNetwork();
      },
    },
    el("span", { class: "knob" }),
    heard(one.label),
  );
}

function table(one) {
  return el(
    "section",
    {},
    el("h3", {}, heard(one.title)),
    one.rows.length
      ? el(
          "div",
          { class: "scroll" },
          el(
            "table",
            {},
            el("thead", {}, el("tr", {}, one.columns.map((name) => el("th", {}, heard(name))))),
            el("tbody", {}, one.rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, String(cell)))))),
          ),
        )
      : el("p", { class: "empty" }, tr("none")),
  );
}
