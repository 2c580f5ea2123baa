// Five steps for somebody who opens the page for the first time. Shown once; ?guide shows it again.

import { el } from "./dom.js";

const SEEN = "guide-seen";
const STEPS = [
  {
    title: "You are in a small company",
    text: "Its Slack is on the left, its network on the right. Both are simulated, the bot is real: it runs as a process of its own.",
  },
  {
    title: "Ask for access",
    text: "As dana, a developer, send the command below. The bot answers with the exact plan, and nothing has changed yet.",
    enter: (page) => show(page, "dana", "/k8snet expose default because sprint 12"),
  },
  {
    title: "Somebody else says yes",
    text: "As omar, a network operator, press Confirm on the plan. The card ticks off every step and ends with proof from the wire.",
    enter: (page) => show(page, "omar", ""),
  },
  {
    title: "Break something",
    text: "Turn a switch below the network, then send this check: it walks the path and names the broken hop, often with a button that mends it.",
    enter: (page) => show(page, "omar", "/k8snet check redis-abc-gns.default"),
  },
  {
    title: "Look around",
    text: "Change who you are at the top: a guest or the partner's Sam may not touch anything. Under Apps is the bot's Home tab; #k8snet-audit has every step.",
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
  const box = el("section", { id: "guide", role: "dialog", "aria-label": "Guided tour" });
  const close = () => {
    localStorage.setItem(SEEN, "yes");
    box.remove();
  };
  const draw = async () => {
    const { title, text, enter } = STEPS[step];
    const last = step === STEPS.length - 1;
    box.replaceChildren(
      el("h2", {}, title),
      el("p", {}, text),
      el(
        "div",
        { class: "row" },
        el("span", {}, `${step + 1} of ${STEPS.length}`),
        last ? null : el("button", { id: "guide-skip", onclick: close }, "Skip"),
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
          last ? "Done" : "Next",
        ),
      ),
    );
    await enter?.(page);
  };
  document.body.append(box);
  draw();
}
