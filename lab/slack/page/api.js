// The control API, /lab/…

import { tr } from "./words.js";

async function answer(response) {
  const body = await response.json().catch(() => ({ ok: false, error: `HTTP ${response.status}` }));
  return response.ok ? body : { ok: false, ...body };
}

export async function get(verb, query = {}) {
  return answer(await fetch(`/lab/${verb}?${new URLSearchParams(query)}`));
}

export async function post(verb, body) {
  const headers = { "Content-Type": "application/json" };
  try {
    return await answer(await fetch(`/lab/${verb}`, { method: "POST", headers, body: JSON.stringify(body) }));
  } catch {
    return { ok: false, error: tr("the simulator does not answer") };
  }
}
