// What people decided, kept while the page is open, and written as a CSV file.
const KINDS = { fake: "Fake", real: "Real", unsure: "Unsure" };
const decided = new Map();  // row number -> { decision, time }
const notes = new Map();    // row number -> text
const watchers = [];
let unsaved = false;

const overlap = (one, other) => {
  const box = (row) => [row.x1 / row.width, row.y1 / row.height, row.x2 / row.width, row.y2 / row.height];
  const [a, b] = [box(one), box(other)];
  const inner = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) *
    Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const area = (c) => (c[2] - c[0]) * (c[3] - c[1]);
  return inner / (area(a) + area(b) - inner);
};
// Rows of near-duplicates that show the same face: it must lie in the same place of the picture.
const alike = (row) => (row.cluster ? inCluster.get(row.cluster) : []).filter((other) =>
  other !== row && other.status === row.status && (!row.face || overlap(row, other) >= 0.5));

const changed = (text) => {
  unsaved = true;
  for (const watch of watchers) watch();
  say(`${text} ${tally()}`);
};
const tally = () => {
  const here = review.filter((number) => decided.has(number)).length;
  const others = decided.size - here;
  return `Decided ${here} of ${review.length}${others ? `, and ${counted(others, "other row")}` : ""}.`;
};
const decide = (row, decision, withAlike = false) => {
  const group = [row, ...(withAlike ? alike(row) : [])];
  const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  for (const one of group) {
    if (decision) decided.set(one.number, { decision, time });
    else decided.delete(one.number);
  }
  const what = decision ? KINDS[decision] : "Not decided any more";
  changed(`${what}: ${nameOf(row)}${group.length > 1 ? ` and ${group.length - 1} near-duplicates` : ""}.`);
};
const note = (row, text) => {
  if (text) notes.set(row.number, text);
  else notes.delete(row.number);
  unsaved = true;
  for (const watch of watchers) watch();
};

const guarded = (cell) => (data.formula.some((start) => cell.startsWith(start)) ? `'${cell}` : cell);
const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const decisionsCsv = () => {
  const names = ["path", "sha256", "face", "decision", "note", "time", "model"];
  if (rows.some((row) => row.pdq)) names.push("pdq");
  const lines = rows.filter((row) => decided.has(row.number)).map((row) => {
    const cells = { ...row, ...decided.get(row.number), note: notes.get(row.number) ?? "" };
    return names.map((name) => quoted(guarded(String(cells[name] ?? ""))));
  });
  return [names, ...lines].map((cells) => `${cells.join(",")}\r\n`).join("");
};
const save = () => {
  const url = URL.createObjectURL(new Blob([decisionsCsv()], { type: "text/csv;charset=utf-8" }));
  make("a", { href: url, download: "decisions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  // a note without a decision is in no row of the file: it is still unsaved
  unsaved = [...notes.keys()].some((number) => !decided.has(number));
  for (const watch of watchers) watch();
  const missing = unsaved ? " Notes on faces that are not decided are not in it." : "";
  say(`decisions.csv has ${counted(decided.size, "row")}.${missing}`);
};
addEventListener("beforeunload", (event) => {
  if (!unsaved || (!decided.size && !notes.size)) return;
  event.preventDefault();
  event.returnValue = "decisions";  // browsers show words of their own
});
