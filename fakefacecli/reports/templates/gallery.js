// The faces to look at, some at a time.
const CARDS = 12;
const gallery = { list: review, page: 0, cards: new Map(), show: "all" };
const SHOWN = [["all", "All"], ["undecided", "Not decided yet"], ...Object.entries(data.review)
  .filter(([, numbers]) => numbers.length).map(([group]) => [group, wordOf("group", group)])];

const choosable = (what) => {
  if (what === "all") return review;
  if (what === "undecided") return review.filter((number) => !decided.has(number));
  return data.review[what];
};
const turnGallery = (page, focused = null) => {
  gallery.page = Math.max(0, Math.min(page, Math.ceil(gallery.list.length / CARDS) - 1));
  drawGallery();
  const numbers = gallery.list.slice(gallery.page * CARDS, (gallery.page + 1) * CARDS);
  const number = focused ?? numbers[0];
  gallery.cards.get(number)?.node.focus();
  if (focused === null) say(`Page ${gallery.page + 1}.`);
};
const drawGallery = () => {
  const deck = at("deck-cards");
  const pages = Math.ceil(gallery.list.length / CARDS);
  const turn = (page) => turnGallery(page);
  gallery.cards.clear();
  const parts = [];
  let group = null;
  for (const number of gallery.list.slice(gallery.page * CARDS, (gallery.page + 1) * CARDS)) {
    if (groupOf.get(number) !== group) {
      group = groupOf.get(number);
      parts.push(make("h3", {}, wordOf("group", group)), make("div", { class: "cards" }));
    }
    const made = card(rows[number], (row) => openDetails(row, gallery.list));
    made.keep();
    gallery.cards.set(number, made);
    parts.at(-1).append(made.node);
  }
  if (!parts.length) parts.push(make("p", {}, "There is no such face (any more)."));
  const turns = () => (pages > 1 ? pager("the faces to look at", gallery.page, pages, turn) : null);
  deck.replaceChildren(...[turns(), ...parts, turns()].filter(Boolean));
};
const stepGallery = (by) => {
  const here = Number(document.activeElement?.closest(".card")?.dataset.row ?? NaN);
  const place = gallery.list.indexOf(here);
  const first = gallery.page * CARDS;
  const next = place < 0 ? first : place + by;
  if (next < 0 || next >= gallery.list.length) {
    say(next < 0 ? "This is the first face." : "This is the last face.");
    return;
  }
  const number = gallery.list[next];
  if (gallery.cards.has(number)) gallery.cards.get(number).node.focus();
  else turnGallery(Math.floor(next / CARDS), number);
};
const startGallery = () => {
  const redraw = (what) => {
    Object.assign(gallery, { show: what, list: choosable(what), page: 0 });
    drawGallery();
    say(`${counted(gallery.list.length, "face")} shown.`);
  };
  at("deck").append(make("div", { class: "controls" }, choose("Show", SHOWN, "all", redraw)), make("div", { id: "deck-cards" }));
  drawGallery();
  watchers.push(() => gallery.cards.forEach((made) => made.keep()));
};
