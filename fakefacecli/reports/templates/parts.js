// Everything is built from elements and text: no string of the report is ever read as HTML.
const make = (tag, facts = {}, ...inside) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "on") {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...inside.flat(Infinity).filter((part) => part !== null && part !== undefined && part !== false));
  return node;
};
const at = (id) => document.getElementById(id);
// For screen readers. What is said at once is read as one; outside an open dialog nothing is read.
let saying = [];
const say = (text) => {
  saying.push(text);
  if (saying.length > 1) return;
  setTimeout(() => {
    at(at("details").open ? "said-inside" : "said").textContent = saying.join(" ");
    saying = [];
  }, 0);
};
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const button = (text, act, facts = {}) => make("button", { type: "button", ...facts, on: { click: act } }, text);

const data = JSON.parse(at("data").textContent);
const rows = data.rows.map((cells, number) => {
  const row = { ...data.same, number };
  data.columns.forEach((name, column) => { row[name] = cells[column]; });
  return row;
});
const review = Object.values(data.review).flat();
const groupOf = new Map();
for (const [group, numbers] of Object.entries(data.review)) {
  for (const number of numbers) groupOf.set(number, group);
}
const inCluster = new Map();
for (const row of rows) {
  if (!row.cluster) continue;
  if (!inCluster.has(row.cluster)) inCluster.set(row.cluster, []);
  inCluster.get(row.cluster).push(row);
}

// Previous and next page, with where one is; `turn` gets the new page's number.
const pager = (what, page, pages, turn) => make("nav", { class: "pager", "aria-label": `Pages of ${what}` },
  button("Previous page", () => turn(page - 1), { disabled: page <= 0 }),
  make("span", {}, `Page ${page + 1} of ${Math.max(1, pages)}`),
  button("Next page", () => turn(page + 1), { disabled: page >= pages - 1 }));

const choose = (label, options, chosen, act) => {
  const id = `choose-${label.toLowerCase().replaceAll(" ", "-")}`;
  const select = make("select", { id, on: { change: () => act(select.value) } },
    options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
  return make("div", {}, make("label", { for: id }, label), select);
};
