// Five steps for somebody who opens the page for the first time. Shown once; ?guide shows it again.

import { el } from "./dom.js";
import { tr } from "./words.js";

const SEEN = "guide-seen";
const marked = (text) => text;
const STEPS = [
  {
    title: marked("You are in a small company"),
    text: marked("Its Slack is on the left, its network on the right. Both are simulated, the bot is real: it runs as a process of its own."),
  },
  {
    title: marked("Ask for access"),
    text: marked("As dana, a developer, send the command below. The bot answers with the exact plan, and nothing has changed yet."),
    enter: (page) => show(page, "dana", "/k8snet expose default because sprint 12"),
  },
  {
    title: marked("Somebody else says yes"),
    text: marked("As omar, a network operator, press Confirm on the plan. The card ticks off every step and ends with proof from the wire."),
    enter: (page) => show(page, "omar", ""),
  },
  {
    title: marked("Break something"),
    text: marked("Turn a switch below the network, then send this check: it walks the path and names the broken hop, often with a button that mends it."),
    enter: (page) => show(page, "omar", "/k8snet check redis-abc-gns.default"),
  },
  {
    title: marked("Look around"),
    text: marked("Change who you are at the top: a guest or the partner's Sam may not touch anything. Under Apps is the bot's Home tab; #k8snet-audit has every step."),
  },
];

async function show(page, persona, text) {
  await page.become(persona);
  await page.go("net-ops");
  page.write(text);
}

/** `page`: become(person), go(channel), write(text), hasNetwork. */
export function startGuide(page) {
  const asked = new URLSearchParams(location.search).has("guide");
  const known = localStorage.getItem(SEEN) || navigator.webdriver; // a robot is shown it only when it asks
  if (!page.hasNetwork || (known && !asked)) return;
  let step = 0;
  const box = el("section", { id: "guide", role: "dialog", "aria-label": tr("Guided tour") });
  const close = () => {
    localStorage.setItem(SEEN, "yes");
    box.remove();
  };
  const draw = async () => {
    const { title, text, enter } = STEPS[step];
    const last = step === STEPS.length - 1;
    box.replaceChildren(
      el("h2", {}, tr(title)),
      el("p", {}, tr(text)),
      el(
        "div",
        { class: "row" },
        el("span", {}, tr("{step} of {count}", { step: step + 1, count: STEPS.length })),
        last ? null : el("button", { id: "guide-skip", onclick: close }, tr("Skip")),
        el(
          "button",
          {
            id: "guide-next",
            class: "primary",
            onclick: () => {
              step += 1;
              return last ? close() : draw();
            },
          },
          last ? tr("Done") : tr("Next"),
        ),
      ),
    );
    await enter?.(page);
  };
  document.body.append(box);
  draw();
}
