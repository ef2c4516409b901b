// A face: its picture, its reasons, its decision; as a card of the gallery and in the dialog.
const pictureOf = (row) => {
  const number = data.picture[row.number];
  if (number === undefined) return null;
  const text = at(`picture-${number}`).textContent;
  return make("img", {
    src: `data:image/jpeg;base64,${text}`,
    alt: `Saved picture of ${nameOf(row)}: the photograph, the evidence found in it, and what is known in words`,
  });
};
const noPicture = (row) => {
  const why = wordOf("missing", data.missing[row.number] ?? "none");
  return make("p", { class: "no-picture" }, why, row.overlay ? ` Its file: ${row.overlay}` : null);
};

// The buttons and the note of a decision; `keep` shows what is decided by now.
const choices = (row) => {
  const others = alike(row);
  const box = others.length ? make("input", { type: "checkbox", class: "with-alike" }) : null;
  const press = Object.entries(KINDS).map(([kind, text]) =>
    button(text, () => decide(row, decided.get(row.number)?.decision === kind ? null : kind, box?.checked),
      { "data-decision": kind, "aria-pressed": "false" }));
  const field = make("input", {
    type: "text", class: "note-text", maxlength: "2000", "aria-label": `Note on ${nameOf(row)}`, placeholder: "Note",
    on: { input: () => note(row, field.value) },
  });
  const hint = make("p", { class: "faint hint" }, "A note is saved with a decision only.");
  const keep = () => {
    const now = decided.get(row.number)?.decision;
    for (const one of press) one.setAttribute("aria-pressed", String(one.dataset.decision === now));
    hint.hidden = Boolean(now) || !field.value;
    if (field !== document.activeElement) field.value = notes.get(row.number) ?? "";
  };
  keep();
  const group = make("div", { class: "choice", role: "group", "aria-label": `Decision on ${nameOf(row)}` }, press);
  const also = box && make("label", { class: "line group" }, box,
    `Also decide the same face of ${counted(others.length, "near-duplicate")}`);
  return { keep, nodes: [group, also, make("div", { class: "note" }, field, hint)] };
};

const verdictLine = (row) => make("div", { class: "line-of" },
  otherEvidence(row).length && row.verdict !== "flagged" ? make("span", { class: "verdict flagged" }, "▲ Image flagged") : null,
  row.verdict || row.status === "error" ? badge(row.verdict) : null,
  score(row) ? make("span", {}, `p_fake ${score(row)}`) : null,
  make("span", { class: "faint" }, row.face ? `face ${row.face} of ${row.faces}` : wordOf("status", row.status)));

const card = (row, open) => {
  const picture = pictureOf(row);
  const { keep, nodes } = choices(row);
  const node = make("article", { class: "card", tabindex: "-1", "data-row": row.number, "aria-label": nameOf(row) },
    make("h4", {}, row.path), verdictLine(row),
    picture ? button(picture, () => open(row), { class: "picture", "aria-label": `Open the details of ${nameOf(row)}` }) : noPicture(row),
    make("ul", { class: "said" }, reasons(row).map((text) => make("li", {}, text))),
    members(row) ? make("p", { class: "faint" }, `Networks: ${members(row)}`) : null,
    nodes, button("Details", () => open(row), { class: "plain", "aria-label": `Details of ${nameOf(row)}` }));
  return { node, keep: () => { keep(); node.classList.toggle("decided", decided.has(row.number)); } };
};

const paperCard = (row) => {
  const now = decided.get(row.number)?.decision;
  const text = notes.get(row.number);
  return make("article", { class: "card" }, make("h4", {}, row.path), verdictLine(row), pictureOf(row) ?? noPicture(row),
    make("ul", { class: "said" }, reasons(row).map((reason) => make("li", {}, reason))),
    now ? make("p", {}, make("strong", {}, `Decided: ${KINDS[now]}`), text ? `. ${text}` : null) : null);
};

// The dialog. `list` holds the rows that j and k go through.
const shown = { row: null, list: [], from: null, keep: null };
const details = at("details");
const fill = (row) => {
  const { keep, nodes } = choices(row);
  const count = make("span", { class: "faint" }, tally());
  Object.assign(shown, { row, keep: () => { keep(); count.textContent = tally(); } });
  const place = shown.list.indexOf(row.number);
  const step = (by) => stepDetails(by);
  at("details-body").replaceChildren(
    make("div", { class: "pager" }, button("Close", () => details.close(), { class: "close" }),
      button("Previous", () => step(-1), { disabled: place <= 0 }),
      button("Next", () => step(1), { disabled: place < 0 || place >= shown.list.length - 1 }),
      make("span", { class: "faint" }, place < 0 ? null : `${place + 1} of ${shown.list.length}`), count),
    make("h2", { id: "details-title", tabindex: "-1" }, nameOf(row)), verdictLine(row), ...nodes.filter(Boolean),
    make("div", { class: "pair" }, make("div", {}, pictureOf(row) ?? noPicture(row)), make("div", {},
      make("ul", { class: "said" }, reasons(row).map((text) => make("li", {}, text))),
      make("table", { class: "facts" }, make("tbody", {}, facts(row).map(([term, value]) =>
        make("tr", {}, make("th", { scope: "row" }, term), make("td", {}, value))))))));
  at("details-title").focus();
};
const openDetails = (row, list) => {
  Object.assign(shown, { list, from: document.activeElement });
  if (!details.open) details.showModal();
  fill(row);
};
const stepDetails = (by) => {
  const next = shown.list[shown.list.indexOf(shown.row.number) + by];
  if (next === undefined) say(by > 0 ? "This is the last one." : "This is the first one.");
  else fill(rows[next]);
};
details.addEventListener("close", () => {
  at("details-body").replaceChildren();
  const { from, row } = shown;
  Object.assign(shown, { row: null, keep: null });
  // the row that was opened may be on another page of the table by now
  if (from?.isConnected) from.focus();
  else document.querySelector(`[data-row="${row?.number}"]`)?.focus();
});
watchers.push(() => shown.keep?.());
