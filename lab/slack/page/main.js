// The page: who you are, where you are, and what the server says is there. The server's state is the only truth;
// after every change the page asks again and draws what differs.

import { get, post } from "./api.js";
import { blocks } from "./blocks.js";
import { composer, confirmed } from "./composer.js";
import { byId, el, fill, stableId } from "./dom.js";
import { startGuide } from "./guide.js";
import { toggleInspector } from "./inspector.js";
import { drawMessages, follow } from "./messages.js";
import { drawModal, given } from "./modal.js";
import { useDirectory, useEmoji } from "./mrkdwn.js";
import { refreshNetwork } from "./network.js";
import { choose, heard, speak, spoken, tr, translatePage } from "./words.js";

const HOME = "home";
const LOCK =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M3 7h10v8H3z' fill='%23bfa9cc'/%3E%3Cpath d='M5 7V5a3 3 0 0 1 6 0v2' fill='none' stroke='%23bfa9cc' stroke-width='1.8'/%3E%3C/svg%3E";
const REFUSED = {
  not_in_channel: () => tr("You are not a member of this channel."),
  account_inactive: () => tr("This account is deactivated."),
};
const here = {
  me: localStorage.getItem("persona") ?? "omar",
  room: localStorage.getItem("room") ?? "net-ops",
  thread: null,
  state: null,
  loadedAt: null,
  spoken: false,
  unread: new Set(),
  pending: new Map(),
  inputs: new Map(),
};

// what can be pressed ------------------------------------------------------------------------------------------------

const key = (surface, block, element) => `${surface}/${block.block_id}/${element.action_id}`;

function actOn(surface, where, id, inputs) {
  const mark = (name, count, failed) => {
    here.pending.set(name, { busy: (here.pending.get(name)?.busy ?? 0) + count, failed });
    redraw();
  };
  const target = (block, element) => ({ as: here.me, ...where, block_id: block.block_id, action_id: element.action_id });
  return {
    inputs,
    id,
    directory: () => here.state,
    state(block, element) {
      const known = here.pending.get(key(surface, block, element));
      return known?.busy ? "busy" : known?.failed ? "failed" : undefined;
    },
    suggest: (block, element, value) => post("suggest", { ...target(block, element), value }),
    async press(block, element, value) {
      const ask = element.confirm;
      if (ask && !(await confirmed(ask))) return;
      const name = key(surface, block, element);
      mark(name, 1, false);
      const chosen = value === undefined ? {} : { value };
      const answer = await post("click", { ...target(block, element), ...chosen, values: given(inputs) });
      mark(name, -1, !answer.ok);
      if (answer.url && /^https?:/.test(answer.url)) window.open(answer.url, "_blank", "noopener");
    },
  };
}

/** What was typed or chosen in this message or view; drawing again must not lose it. */
function inputsOf(owner) {
  if (!here.inputs.has(owner)) here.inputs.set(owner, new Map());
  return here.inputs.get(owner);
}

const page = {
  inputsOf,
  get me() { return here.state.me.id; },
  get spoken() { return here.spoken; },
  person: (id) => here.state.people.find((one) => one.id === id) ?? { name: id, real_name: "?", color: "888" },
  version: (message) => [...here.pending].filter(([name]) => name.startsWith(message.ts)),
  act(message, inThread) {
    const id = (block, element) => stableId(inThread ? "thread-act" : "act", message.ts, block.block_id, element.action_id);
    return actOn(message.ts, { channel: message.channel, ts: message.ts }, id, inputsOf(message.ts));
  },
  surface: (name, inputs, id) => actOn(name, { surface: name }, id, inputs),
  react: (message, name) => post("react", { as: here.me, channel: message.channel, ts: message.ts, name }),
  openThread(ts) {
    here.thread = ts;
    drawThread().then(() => byId("thread-composer").focus());
  },
  closeThread() {
    const link = byId(stableId("thread", here.thread));
    here.thread = null;
    drawThread();
    (link ?? byId("composer")).focus();
  },
};

// drawing ------------------------------------------------------------------------------------------------------------

const room = () => here.state.channels.find((one) => [one.id, one.name].includes(here.room));

async function loadState() {
  const known = here.state !== null;
  here.state = await get("state", { as: here.me });
  if (!known) {
    speak(here.state.language);
    translatePage();
  }
  here.loadedAt ??= here.state.last_ts;
  useDirectory(here.state);
  if (here.room !== HOME && !room()) here.room = here.state.channels[0]?.id ?? HOME;
  drawSidebar();
  drawTop();
}

function drawTop() {
  byId("team").textContent = here.state.team;
  const sockets = `${tr("app connected")}${here.state.connections > 1 ? ` × ${here.state.connections}` : ""}`;
  const transport = here.state.transport === "http" ? tr("app over HTTP") : sockets;
  const alive = here.state.transport === "http" || here.state.connections > 0;
  byId("status").textContent = alive ? transport : tr("app not connected");
  byId("status").className = `pill ${alive ? "good" : "bad"}`;
  const choose = byId("persona");
  const label = (one) => `${one.name} — ${heard(one.role)}${one.deleted ? tr(" (deactivated)") : ""}`;
  fill(
    choose,
    here.state.people
      .filter((one) => !one.is_bot)
      .map((one) => el("option", { value: one.name, selected: one.id === here.state.me.id }, label(one))),
  );
  byId("network").hidden = !here.state.has_network;
  byId("network-toggle").hidden = !here.state.has_network;
}

function drawSidebar() {
  const lock = () => el("img", { src: LOCK, alt: tr("private") });
  const sign = { public: () => "#", private: lock, im: () => "●", mpim: () => "●" };
  const entry = (id, icon, name, extra) =>
    el(
      "button",
      {
        id: `channel-${id}`,
        class: `channel ${here.unread.has(id) ? "unread" : ""}`,
        "aria-current": (id === HOME ? here.room === HOME : room()?.id === id) ? "page" : null,
        onclick: () => go(id),
      },
      el("span", { class: "sign" }, icon),
      name,
      extra,
    );
  const channels = here.state.channels.filter((one) => !["im", "mpim"].includes(one.kind));
  const direct = here.state.channels.filter((one) => ["im", "mpim"].includes(one.kind));
  const shared = (one) => (one.is_shared ? el("small", { title: "Slack Connect" }, "⇄") : null);
  fill(
    byId("sidebar"),
    el("h2", {}, tr("Channels")),
    channels.map((one) => entry(one.id, sign[one.kind](), one.name, shared(one))),
    el("h2", {}, tr("Direct messages")),
    direct.map((one) => entry(one.id, sign[one.kind](), one.name)),
    el("h2", {}, tr("Apps")),
    entry(HOME, "⎈", here.state.app.name, el("small", {}, tr("home"))),
  );
}

function drawRoomHead() {
  const one = room();
  byId("room-name").textContent = here.room === HOME ? here.state.app.name : `${one.kind === "im" ? "" : "#"}${one.name}`;
  const notes = one && [heard(one.purpose), one.is_archived && tr("archived"), !one.has_app && tr("the app is not a member")];
  byId("room-purpose").textContent = one ? notes.filter(Boolean).join(" · ") : tr("Home tab");
  fill(byId("bookmarks"), (one?.bookmarks ?? []).map((mark) =>
    el("a", { href: mark.link, target: "_blank", rel: "noopener noreferrer" }, `🔖 ${mark.title}`)));
  byId("composer-form").hidden = here.room === HOME;
  const silent = here.state.me.deleted;
  byId("composer").disabled = silent;
  byId("composer").placeholder = silent
    ? tr("This account is deactivated")
    : tr("Message {room}, or type / for a command", { room: byId("room-name").textContent });
}

async function visible(more = {}) {
  const query = { as: here.me, channel: room().id, ephemeral_after: here.loadedAt, ...more };
  return (await get("messages", query)).messages ?? [];
}

async function drawRoom() {
  drawRoomHead();
  if (here.room === HOME) return drawHome();
  const asked = here.room;
  const messages = await visible();
  if (asked !== here.room) return;
  here.unread.delete(room().id);
  if (!messages.length) return fill(byId("messages"), nothingYet());
  drawMessages(byId("messages"), messages.filter((one) => !one.in_thread || one.broadcast), page);
}

function nothingYet() {
  const [first] = here.state.commands;
  const write = () => {
    byId("composer").value = `${first.command} help`;
    byId("composer").focus();
  };
  const hint = first && [tr(" Try "), el("button", { class: "button", onclick: write }, `${first.command} help`)];
  return el("p", { id: "nothing-yet", class: "home empty" }, tr("Nothing has been said here yet."), hint);
}

async function drawHome() {
  const { view } = await get("home", { as: here.me });
  const version = JSON.stringify([view?.id, view?.hash, page.version({ ts: "home" })]);
  if (byId("home")?.dataset.version === version) return;
  const inputs = inputsOf(view?.id);
  const id = (block, element) => stableId("home", block.block_id, element.action_id);
  const node = view
    ? el("div", { class: "home", id: "home" }, blocks(view.blocks, page.surface("home", inputs, id)))
    : el("div", { class: "home empty", id: "home" }, tr("The app has not published a Home tab for you yet."));
  node.dataset.version = version;
  fill(byId("messages"), node);
}

async function drawThread() {
  byId("thread").hidden = !here.thread;
  document.body.classList.toggle("with-thread", Boolean(here.thread));
  if (!here.thread || here.room === HOME) return;
  drawMessages(byId("thread-messages"), await visible({ thread: here.thread }), page, { inThread: true });
}

async function drawViews() {
  drawModal((await get("view", { as: here.me })).views ?? [], page);
}

let drawing = null;
let again = false;

/** Draw everything that is on the screen; calls made meanwhile lead to one more round. */
function redraw() {
  again = true;
  drawing ??= (async () => {
    while (again) {
      again = false;
      await Promise.all([drawRoom(), drawThread(), drawViews()]);
    }
  })().finally(() => { drawing = null; });
  return drawing;
}

// moving about -------------------------------------------------------------------------------------------------------

async function go(id) {
  here.room = id;
  here.thread = null;
  here.unread.delete(id);
  localStorage.setItem("room", id);
  showMenu(false);
  byId("messages").replaceChildren();
  drawSidebar();
  await redraw();
  byId("messages").scrollTop = id === HOME ? 0 : byId("messages").scrollHeight;
  if (id === HOME) await post("home", { as: here.me });
  else byId("composer").focus();
}

function showMenu(shown) {
  document.body.classList.toggle("with-menu", shown);
  byId("menu").setAttribute("aria-expanded", String(shown));
}

async function become(name) {
  here.me = name;
  localStorage.setItem("persona", name);
  here.unread.clear();
  byId("modal").dataset.view = "";
  await loadState();
  await go(here.room === HOME ? HOME : room().id);
}

async function changed(change) {
  if (change.users.length && !change.users.includes(here.state.me.id)) return;
  if (["channels", "people", "loaded", "connections"].includes(change.kind)) await loadState();
  if (change.kind === "network") return refreshNetwork();
  if (change.channel && change.kind === "message" && change.channel !== room()?.id) {
    here.unread.add(change.channel);
    return drawSidebar();
  }
  return redraw();
}

function listen() {
  const events = new EventSource("/lab/events");
  events.onmessage = (event) => changed(JSON.parse(event.data));
  events.onopen = async () => {
    await loadState();
    await redraw();
  };
  events.onerror = () => {
    byId("status").textContent = tr("simulator not reachable");
    byId("status").className = "pill bad";
  };
}

function wire() {
  const say = async (text, more) => {
    follow(byId(more ? "thread-messages" : "messages")); // whoever speaks wants to see the answer
    const answer = await post("say", { as: here.me, channel: room().id, text, ...more });
    byId("composer-problem").textContent = answer.ok || answer.line ? "" : (REFUSED[answer.error]?.() ?? heard(answer.error));
  };
  composer(byId("composer-form"), byId("composer"), (text) => say(text), () => here.state.commands);
  composer(byId("thread-form"), byId("thread-composer"), (text) => say(text, { thread_ts: here.thread }));
  byId("persona").addEventListener("change", (event) => become(event.target.value));
  byId("language").value = spoken();
  byId("language").addEventListener("change", (event) => choose(event.target.value));
  byId("menu").addEventListener("click", () => showMenu(!document.body.classList.contains("with-menu")));
  byId("network-toggle").addEventListener("click", () => document.body.classList.toggle("with-network"));
  byId("inspector-toggle").addEventListener("click", toggleInspector);
  byId("inspector-close").addEventListener("click", toggleInspector);
  byId("thread-close").addEventListener("click", page.closeThread);
  byId("spoken-toggle").addEventListener("click", (event) => {
    here.spoken = !here.spoken;
    event.target.setAttribute("aria-pressed", String(here.spoken));
    redraw();
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
    if (event.key === "/" && !typing && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      byId("composer").focus();
      byId("composer").value = "/";
      byId("composer").dispatchEvent(new Event("input"));
    }
    if (event.key === "Escape" && here.thread && !document.querySelector("dialog[open]")) page.closeThread();
  });
}

useEmoji(await (await fetch("/page/emoji.json")).json());
const wanted = new URLSearchParams(location.search);
here.me = wanted.get("as") ?? here.me;
here.room = wanted.get("channel") ?? here.room;
try {
  await loadState();
} catch {
  here.me = "omar";
  await loadState();
}
wire();
await redraw();
byId("messages").scrollTop = here.room === HOME ? 0 : byId("messages").scrollHeight;
byId("composer").focus();
listen();
if (here.state.has_network) {
  await refreshNetwork();
  setInterval(refreshNetwork, 2000);
}
startGuide({
  become,
  go: (name) => go(here.state.channels.find((one) => one.name === name)?.id ?? here.state.channels[0].id),
  write(text) {
    byId("composer").value = text;
    byId("composer").focus();
  },
  hasNetwork: here.state.has_network,
});
document.body.dataset.ready = "yes";
