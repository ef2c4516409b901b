// Keys, the bar at the bottom, printing; and the start of all parts.
const PRINTED = 200;
const KEYS = [
  ["j", "or an arrow down or right: the next face"], ["k", "or an arrow up or left: the face before"],
  ["f", "fake"], ["r", "real"], ["u", "unsure"], ["n", "write a note; Enter ends it"],
  ["0", "or Backspace: not decided any more"], ["o", "open the details; Escape closes them"],
];
const settings = { keys: true, onward: true };

const chosen = () => {
  if (shown.row) return { row: shown.row, node: details, step: stepDetails };
  const node = document.activeElement?.closest(".card");
  return node ? { row: rows[Number(node.dataset.row)], node, step: stepGallery } : null;
};
const typing = (target) => target.closest("select, textarea, input:not([type=checkbox])");
const byKey = (decision) => {
  const now = chosen();
  if (!now) {
    say("No face is chosen. Press j to go to the first one.");
    return;
  }
  decide(now.row, decision, now.node.querySelector(".with-alike")?.checked);
  if (decision && settings.onward) now.step(1);
};
const step = (by) => (shown.row ? stepDetails(by) : stepGallery(by));
const ACTS = {
  j: () => step(1), k: () => step(-1),
  f: () => byKey("fake"), r: () => byKey("real"), u: () => byKey("unsure"), 0: () => byKey(null),
  Backspace: () => byKey(null),
  n: () => chosen()?.node.querySelector(".note-text")?.focus(),
  o: () => { if (!shown.row && chosen()) openDetails(chosen().row, gallery.list); },
};
const ARROWS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.classList?.contains("note-text")) {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();  // Escape would close the dialog
      (shown.row ? at("details-title") : event.target.closest(".card"))?.focus();
    }
    return;
  }
  if (!settings.keys || typing(event.target)) return;
  // arrows scroll, unless a face has the focus; in the dialog only those to the sides are taken
  const arrow = ARROWS[event.key];
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  if (arrow && (shown.row ? sideways : event.target.classList?.contains("card"))) {
    event.preventDefault();
    step(arrow);
    return;
  }
  const act = Object.hasOwn(ACTS, event.key) ? ACTS[event.key] : null;
  if (!act) return;
  event.preventDefault();
  act();
});

const startBar = () => {
  const count = make("p", { class: "count", id: "decided-count" }, tally());
  const download = button("Save decisions.csv", save, { class: "strong", id: "save", disabled: true });
  const setting = (name, text) => {
    const box = make("input", { type: "checkbox", checked: true, on: { change: () => { settings[name] = box.checked; } } });
    return make("label", { class: "line" }, box, text);
  };
  const keys = KEYS.map(([key, text]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, text)]);
  at("bar").setAttribute("role", "region");
  at("bar").setAttribute("aria-label", "Decisions");
  at("bar").append(make("div", {}, count, download, make("span", { class: "faint", id: "unsaved" }),
    make("details", {}, make("summary", {}, "Keys"), make("dl", { class: "keys" }, keys),
      setting("keys", "Decide by keys"), setting("onward", "Go to the next face after a key"))));
  watchers.push(() => {
    count.textContent = tally();
    download.disabled = !decided.size;
    at("unsaved").textContent = unsaved ? "not saved yet" : decided.size ? "saved" : "";
  });
};
const startPrinting = () => {
  let opened = [];
  addEventListener("beforeprint", () => {
    const numbers = review.slice(0, PRINTED);
    const rest = review.length - numbers.length;
    at("on-paper")?.replaceChildren(
      make("div", { class: "cards" }, numbers.map((number) => paperCard(rows[number]))),
      rest ? make("p", {}, `${counted(rest, "more face")} not printed.`) : "");
    opened = [...document.querySelectorAll("details.opens-on-paper:not([open])")];
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => {
    at("on-paper")?.replaceChildren();
    for (const one of opened) one.open = false;
  });
};

for (const node of document.querySelectorAll(".needs-script")) node.hidden = false;
if (review.length) startGallery();
startTable();
startOdds();
startBar();
startPrinting();
