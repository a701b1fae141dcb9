// Keys, live parts and dialogs. Everything works without this file, except live updates and keys.
"use strict";

const typing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;
let afterG = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) {
    return;
  }
  if (afterG) {
    afterG = false;
    const link = document.querySelector(`nav.pages a[data-key="${CSS.escape(event.key)}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  const actions = {
    "/": () => document.getElementById("find").focus(),
    "?": () => document.getElementById("help").showModal(),
    g: () => { afterG = true; },
    j: () => moveRow(1),
    k: () => moveRow(-1),
  };
  if (actions[event.key]) {
    event.preventDefault();
    actions[event.key]();
  }
});

// The links of rows: the first link of each row of a table.
function moveRow(step) {
  const links = [...document.querySelectorAll("main tbody tr")].map((row) => row.querySelector("a")).filter(Boolean);
  if (links.length === 0) {
    return;
  }
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(here + step, 0), links.length - 1);
  links[next].focus();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    document.getElementById(opener.dataset.opens).showModal();
  }
});

// Live parts are read again while somebody looks at the page and is not using the part itself.
const readAt = new WeakMap();
setInterval(() => {
  if (document.visibilityState !== "visible") {
    return;
  }
  for (const part of document.querySelectorAll("[data-live]")) {
    const last = readAt.get(part) ?? readAt.set(part, Date.now()).get(part);
    const inUse = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (!inUse && Date.now() - last >= Number(part.dataset.live) * 1000) {
      readAt.set(part, Date.now());
      htmx.trigger(part, "live");
    }
  }
}, 1000);
