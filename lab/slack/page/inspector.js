// Every request, envelope and answer with its timing.

import { get } from "./api.js";
import { byId, el } from "./dom.js";

let last = 0;
let following = false;

/** Long polls for as long as the inspector is open. */
async function follow() {
  following = true;
  while (!byId("inspector").hidden) {
    const { entries } = await get("transcript", { after: last, timeout: 20 }).catch(() => ({}));
    if (!entries) break;
    for (const entry of entries) {
      last = entry.n;
      byId("inspector-list").prepend(row(entry));
    }
  }
  following = false;
}

function row(entry) {
  const { n, at, kind, name, ms, ...rest } = entry;
  const bad = (rest.status ?? 200) !== 200 || (rest.outcome ?? "ok") !== "ok" || rest.response?.ok === false;
  return el(
    "details",
    { class: bad ? "bad" : "", id: `entry-${n}` },
    el(
      "summary",
      {},
      el("span", { class: "kind" }, kind),
      el("b", {}, name),
      el("span", {}, rest.outcome ?? (rest.response?.error || "")),
      el("span", { class: "ms" }, ms === undefined ? "" : `${ms.toFixed(1)} ms`),
      el("time", {}, new Date(at * 1000).toLocaleTimeString("en-GB")),
    ),
    el("pre", {}, JSON.stringify(rest, null, 2)),
  );
}

export function toggleInspector() {
  const box = byId("inspector");
  box.hidden = !box.hidden;
  byId("inspector-toggle").setAttribute("aria-pressed", String(!box.hidden));
  if (!box.hidden && !following) follow();
}
