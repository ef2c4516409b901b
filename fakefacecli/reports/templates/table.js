// The table of all rows: filtered, sorted, a page at a time.
const ROWS = 50;
const RANK = { flagged: 0, inconclusive: 1, not_flagged: 2 };
const COLUMNS = [
  ["path", "File", (row) => row.path],
  ["face", "Face", (row) => row.face],
  ["verdict", "Verdict", (row) => RANK[row.verdict]],
  ["p_fake", "p_fake", (row) => row.p_fake],
  ["reason", "Reason", (row) => row.reason],
  ["provenance", "Origin", (row) => row.provenance],
  ["status", "Status", (row) => row.status],
  ["face_px", "Face, px", (row) => row.face_px],
  ["decision", "Decided", (row) => decided.get(row.number)?.decision],
];
const PLAIN = { none: "nothing said", ai_declared: "AI", camera_declared: "camera", invalid: "invalid", not_checked: "not checked" };
const SHORT = (cell) => (cell ?? "").replaceAll("_", " ");
const SEARCHED = ["path", "generator", "c2pa_signer", "provenance_detail", "known", "known_note", "sha256", "error"];
const table = { text: "", wanted: {}, sort: null, down: false, page: 0, list: [], haystack: null };

const haystack = () => {
  table.haystack ??= rows.map((row) => SEARCHED.map((name) => row[name] ?? "").join("\n").toLowerCase());
  return table.haystack;
};
const matches = (row) => haystack()[row.number].includes(table.text) &&
  Object.entries(table.wanted).every(([name, value]) => value === "" || String(row[name] ?? "") === value);
const compare = (one, other) => {
  const value = COLUMNS.find(([name]) => name === table.sort)[2];
  const [a, b] = [value(one), value(other)];
  const lacks = (cell) => cell === null || cell === undefined;
  // rows without a value come last whatever the direction
  if (lacks(a) || lacks(b)) return lacks(a) - lacks(b);
  const order = typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
  return table.down ? -order : order;
};
const refill = () => {
  const found = rows.filter(matches);
  if (table.sort) found.sort(compare);
  table.list = found.map((row) => row.number);
  table.page = 0;
  drawTable();
  at("table-count").textContent = `${table.list.length} of ${counted(rows.length, "row")}`;
};
const tableRow = (row) => make("tr", {},
  make("th", { scope: "row" }, button(row.path, () => openDetails(row, table.list), { class: "plain", "data-row": row.number, "aria-label": `Details of ${nameOf(row)}` })),
  make("td", {}, String(row.face ?? "")),
  make("td", {}, row.verdict ? badge(row.verdict) : ""),
  make("td", {}, score(row)),
  make("td", {}, SHORT(row.reason ?? row.error_code)),
  make("td", {}, PLAIN[row.provenance] ?? row.provenance),
  make("td", {}, wordOf("status", row.status)),
  make("td", {}, String(row.face_px ?? "")),
  make("td", { class: "decision" }, KINDS[decided.get(row.number)?.decision] ?? ""));
const drawTable = () => {
  const pages = Math.ceil(table.list.length / ROWS);
  const those = table.list.slice(table.page * ROWS, (table.page + 1) * ROWS);
  at("table-rows").replaceChildren(...those.map((number) => tableRow(rows[number])));
  at("table-pages").replaceChildren(pager("the table", table.page, pages, (page) => {
    table.page = page;
    drawTable();
    at("table-rows").querySelector("button")?.focus();
    say(`Page ${page + 1} of ${pages}.`);
  }));
};
const sortBy = (name) => {
  // numbers that people look for are the high ones: they come first
  const first = name === "p_fake" || name === "face_px";
  Object.assign(table, { down: table.sort === name ? !table.down : first, sort: name });
  for (const head of document.querySelectorAll("#table thead th")) {
    const own = head.dataset.column === name;
    if (own) head.setAttribute("aria-sort", table.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    head.querySelector(".arrow").textContent = own ? (table.down ? "▼" : "▲") : "";
  }
  refill();
};
const filterBy = (name, label, word) => {
  const values = [...new Set(rows.map((row) => row[name]).filter(Boolean))].sort();
  return choose(label, [["", "All"], ...values.map((value) => [value, word(value)])], "", (value) => {
    table.wanted[name] = value;
    refill();
  });
};
const startTable = () => {
  const text = make("input", { type: "search", id: "table-text", on: { input: () => { table.text = text.value.trim().toLowerCase(); refill(); } } });
  const heads = COLUMNS.map(([name, title]) => make("th", { scope: "col", "data-column": name },
    button([title, " ", make("span", { class: "arrow", "aria-hidden": "true" })], () => sortBy(name))));
  at("table").append(
    make("div", { class: "controls", role: "search", "aria-label": "Filter the table" },
      make("div", {}, make("label", { for: "table-text" }, "Name, generator, signer, note"), text),
      filterBy("verdict", "Verdict", (value) => wordOf("verdict", value)), filterBy("reason", "Reason", SHORT),
      filterBy("provenance", "Origin", (value) => PLAIN[value] ?? value),
      filterBy("status", "Status", (value) => wordOf("status", value))),
    make("p", { id: "table-count", role: "status" }),
    make("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Table of all rows" },
      make("table", { class: "all" }, make("caption", { class: "unseen" }, "All rows; the buttons in the head sort them, the button of a file opens its details"),
        make("thead", {}, make("tr", {}, heads)), make("tbody", { id: "table-rows" }))),
    make("div", { id: "table-pages" }));
  refill();
  // the decisions of the rows that are shown
  watchers.push(() => [...at("table-rows").rows].forEach((line, place) => {
    const number = table.list[table.page * ROWS + place];
    line.querySelector(".decision").textContent = KINDS[decided.get(number)?.decision] ?? "";
  }));
};
