// Buttons, selects and inputs. Values typed into inputs are kept in `act.inputs`, so drawing again loses nothing.

import { el } from "./dom.js";
import { plain, mrkdwn } from "./mrkdwn.js";
import { tr } from "./words.js";

const textOf = (text) => (text ? plain(text.text) : "");

export function control(block, element, act) {
  if (element.type === "button") return button(block, element, act);
  if (element.type === "icon_button") return button(block, { ...element, style: null }, act);
  const make = MAKE[element.type] ?? textInput;
  return make(block, element, act);
}

function button(block, element, act) {
  const state = act.state(block, element);
  return el(
    "button",
    {
      type: "button",
      id: act.id(block, element),
      class: ["button", element.style, state].filter(Boolean).join(" "),
      "aria-busy": state === "busy" ? "true" : null,
      "aria-label": element.accessibility_label,
      "data-action-id": element.action_id,
      title: state === "failed" ? tr("The app did not respond") : null,
      onclick: () => act.press(block, element),
    },
    textOf(element.text),
    element.url ? " ↗" : "",
    state === "failed" ? " ⚠" : "",
  );
}

const inputKey = (block, element) => JSON.stringify([block.block_id, element.action_id]);

/** What an input holds now: typed before, given by the app, or nothing. */
function current(block, element, act, initial) {
  const key = inputKey(block, element);
  return act.inputs.has(key) ? act.inputs.get(key) : initial;
}

function changed(block, element, act, value) {
  act.inputs.set(inputKey(block, element), value);
  if (block.type !== "input" || block.dispatch_action) act.press(block, element, value);
}

const options = (element) => [
  ...(element.options ?? []),
  ...(element.option_groups ?? []).flatMap((group) => group.options),
];

function select(block, element, act) {
  const chosen = current(block, element, act, element.initial_option?.value ?? "");
  return el(
    "select",
    { id: act.id(block, element), onchange: (event) => changed(block, element, act, event.target.value || null) },
    el("option", { value: "", selected: !chosen }, textOf(element.placeholder) || tr("Choose…")),
    (element.options ?? []).map((one) => choice(one, chosen)),
    (element.option_groups ?? []).map((group) =>
      el("optgroup", { label: textOf(group.label) }, group.options.map((one) => choice(one, chosen))),
    ),
  );
}

const choice = (one, chosen) => el("option", { value: one.value, selected: one.value === chosen }, textOf(one.text));

function overflow(block, element, act) {
  return el(
    "select",
    {
      id: act.id(block, element),
      class: "overflow",
      "aria-label": tr("More"),
      onchange: (event) => act.press(block, element, event.target.value),
    },
    el("option", { value: "" }, "⋯"),
    element.options.map((one) => el("option", { value: one.value }, textOf(one.text))),
  );
}

function many(block, element, act) {
  const chosen = new Set(current(block, element, act, (element.initial_options ?? []).map((one) => one.value)));
  return ticks(block, element, act, "checkbox", (value, on) => {
    if (on) chosen.add(value);
    else chosen.delete(value);
    changed(block, element, act, [...chosen]);
  }, (value) => chosen.has(value));
}

function radio(block, element, act) {
  const chosen = current(block, element, act, element.initial_option?.value);
  return ticks(block, element, act, "radio", (value) => changed(block, element, act, value), (value) => value === chosen);
}

function ticks(block, element, act, type, change, isOn) {
  const id = act.id(block, element);
  return el(
    "div",
    { class: "ticks", id, role: type === "radio" ? "radiogroup" : "group", "aria-labelledby": `${id}-label` },
    options(element).map((one) =>
      el(
        "label",
        {},
        el("input", {
          type,
          name: id,
          checked: isOn(one.value),
          onchange: (event) => change(one.value, event.target.checked),
        }),
        one.text.type === "mrkdwn" ? mrkdwn(one.text.text) : textOf(one.text),
        one.description ? el("small", {}, textOf(one.description)) : null,
      ),
    ),
  );
}

/** Whether a conversations_select with this filter offers it. */
function offered(one, filter) {
  if (!filter) return true;
  if (filter.exclude_external_shared_channels && one.is_shared) return false;
  return !filter.include || filter.include.includes(one.kind);
}

function people(list, initial) {
  return (block, element, act) => {
    const chosen = current(block, element, act, element[initial] ?? "");
    return el(
      "select",
      { id: act.id(block, element), onchange: (event) => changed(block, element, act, event.target.value || null) },
      el("option", { value: "" }, textOf(element.placeholder) || tr("Choose…")),
      act.directory()[list].filter((one) => offered(one, element.filter)).map((one) => el("option", { value: one.id, selected: one.id === chosen }, one.name)),
    );
  };
}

function external(block, element, act) {
  const id = act.id(block, element);
  const list = el("datalist", { id: `${id}-options` });
  let found = [];
  const least = element.min_query_length ?? 3;
  const ask = async (typed) => {
    if (typed.length < least) return;
    const answer = await act.suggest(block, element, typed);
    found = answer.options ?? (answer.option_groups ?? []).flatMap((group) => group.options);
    list.replaceChildren(...found.map((one) => el("option", { value: textOf(one.text) })));
  };
  const field = el("input", {
    id,
    list: list.id,
    placeholder: textOf(element.placeholder) || tr("Type to search…"),
    value: current(block, element, act, element.initial_option)?.text?.text ?? "",
    onfocus: (event) => ask(event.target.value),
    oninput: (event) => {
      const option = found.find((one) => textOf(one.text) === event.target.value);
      if (option) changed(block, element, act, option);
      else ask(event.target.value);
    },
  });
  return el("span", {}, field, list);
}

function picker(type, initial, read = (value) => value || null) {
  return (block, element, act) =>
    el("input", {
      type,
      id: act.id(block, element),
      value: current(block, element, act, element[initial] ?? ""),
      onchange: (event) => changed(block, element, act, read(event.target.value)),
    });
}

function textInput(block, element, act) {
  const types = { email_text_input: "email", url_text_input: "url", number_input: "number" };
  return el(element.multiline ? "textarea" : "input", {
    id: act.id(block, element),
    type: element.multiline ? null : types[element.type] ?? "text",
    placeholder: textOf(element.placeholder),
    maxlength: element.max_length ?? 3000,
    value: current(block, element, act, element.initial_value ?? ""),
    oninput: (event) => act.inputs.set(inputKey(block, element), event.target.value),
  });
}

const MAKE = {
  static_select: select,
  multi_static_select: many,
  checkboxes: many,
  radio_buttons: radio,
  overflow,
  external_select: external,
  users_select: people("people", "initial_user"),
  conversations_select: people("channels", "initial_conversation"),
  channels_select: people("channels", "initial_channel"),
  datepicker: picker("date", "initial_date"),
  timepicker: picker("time", "initial_time"),
  datetimepicker: picker("datetime-local", "initial_date_time", (value) => Math.floor(new Date(value) / 1000)),
};
