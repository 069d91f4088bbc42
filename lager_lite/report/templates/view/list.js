// The list: only the rows that can be seen are in the page, so that many thousands stay fluid.

const SPARE = 8;
/** The rows in the page, by their place in the list. */
const drawn = new Map();
let rowHeight = 56;

function measureList() {
  const height = parseFloat(getComputedStyle(byId("grid")).getPropertyValue("--row"));
  rowHeight = height || rowHeight;
  const narrow = byId("rows").clientWidth < 560;
  const columns = COLUMNS.filter((column) => !(narrow && column.wide) && (!column.when || column.when()));
  byId("grid").style.setProperty("--columns", columns.map((column) => column.width).join(" "));
  state.columns = columns;
}

function showHead() {
  const cells = state.columns.map((column) => {
    const mine = order.by === column.name;
    const sort = mine ? (order.down ? "descending" : "ascending") : "none";
    const mark = mine ? make("span", { "aria-hidden": "true" }, order.down ? " ▾" : " ▴") : null;
    const cell = { role: "columnheader", "aria-sort": sort, class: column.figure ? "figure" : "" };
    return make("div", cell, button([column.title, mark], () => sortBy(column), { id: `sort-${column.name}` }));
  });
  const focused = document.activeElement ? document.activeElement.id : "";
  fill(byId("head"), cells);
  if (focused.startsWith("sort-") && byId(focused)) byId(focused).focus();
}

/** Figures begin with the highest, names with the first; a third time gives the order of the file. */
function sortBy(column) {
  const first = Boolean(column.figure);
  if (order.by !== column.name) Object.assign(order, { by: column.name, down: first });
  else if (order.down === first) order.down = !first;
  else order.by = "";
  state.list = sorted(state.list.map((place) => ROWS[place]).sort((a, b) => a.place - b.place)).map((row) => row.place);
  showList();
}

function showList() {
  measureList();
  showHead();
  const grid = byId("grid");
  grid.setAttribute("aria-rowcount", state.list.length + 1);
  grid.setAttribute("aria-colcount", state.columns.length);
  byId("space").style.height = `${state.list.length * rowHeight}px`;
  for (const element of drawn.values()) element.remove();
  drawn.clear();
  const empty = state.list.length === 0;
  byId("nothing").hidden = !empty;
  grid.hidden = empty;
  if (empty && !ROWS.length) fill(byId("nothing"), `There is no judgment in ${DATA.name}.`);
  else if (empty) fill(byId("nothing"), "No judgment passes these filters. ", button("Clear all", clearFilters, { class: "plain" }));
  draw();
}

function draw() {
  const pane = byId("rows");
  const first = Math.max(0, Math.floor(pane.scrollTop / rowHeight) - SPARE);
  const last = Math.min(state.list.length, Math.ceil((pane.scrollTop + pane.clientHeight) / rowHeight) + SPARE);
  for (const [place, element] of drawn) {
    if (place < first || place >= last) {
      element.remove();
      drawn.delete(place);
    }
  }
  for (let place = first; place < last; place += 1) {
    if (drawn.has(place)) continue;
    const element = rowOf(place);
    drawn.set(place, element);
    byId("space").append(element);
  }
  const chosenPlace = state.list.indexOf(state.row);
  if (drawn.has(chosenPlace)) byId("grid").setAttribute("aria-activedescendant", `row-${state.row}`);
  else byId("grid").removeAttribute("aria-activedescendant");
}

function rowOf(place) {
  const row = ROWS[state.list[place]];
  const element = make(
    "div",
    {
      role: "row",
      id: `row-${row.place}`,
      "aria-rowindex": place + 2,
      "aria-selected": row.place === state.row ? "true" : "false",
      onclick: () => {
        choose(row.place);
        openDetail();
      },
    },
    state.columns.map((column) => cellOf(column, row)),
    make("div", { class: "snippet", role: "gridcell", dir: "auto" }, below(row)),
  );
  element.style.transform = `translateY(${place * rowHeight}px)`;
  return element;
}

function below(row) {
  if (row.error) return make("span", { class: "bad" }, row.error);
  const narrow = state.columns.every((column) => !column.wide);
  const before = narrow && HAS.criteria ? make("b", {}, `${CRITERIA[row.criterion].name} `) : null;
  const item = ITEMS[row.item];
  const field = (item.judged || [])[0];
  const text = snippet(item);
  if (text) return [before, make("bdi", {}, shown(text, state.terms))];
  const nothing = !item.judged ? "(texts not known)" : has(item, field) ? "(blank)" : `(no ${titleOf(field).toLowerCase()})`;
  return [before, nothing];
}

function cellOf(column, row) {
  const attributes = { role: "gridcell", class: column.figure ? "figure" : "" };
  if (column.name === "score") return make("div", attributes, scoreOf(row));
  if (column.name === "mine") return make("div", { ...attributes, dir: "auto" }, shown(mine(row)));
  if (column.name === "words") return make("div", attributes, number(column.of(row), 0));
  if (column.figure) return make("div", attributes, column.shown ? column.shown(row) : number(column.of(row)));
  const text = column.of(row) || "";
  const tick = column.name === "item" && isLabelled(row) ? make("span", { class: "mine", title: "labelled" }, "✓ ") : null;
  return make("div", { ...attributes, dir: "auto", title: text }, tick, shown(text, column.name === "item" ? state.terms : []));
}

function mine(row) {
  return isLabelled(row) ? CRITERIA[row.criterion].labels[labelOf(row.item, row.criterion)] : "-";
}

function scoreOf(row) {
  if (!isNumber(row.score)) return make("span", { class: "bad" }, "error");
  const bar = make("span", { class: "level", "aria-hidden": "true" });
  bar.style.width = `${Math.round(share(row.score, row.criterion) * 100)}%`;
  return [number(row.score), make("span", { class: "track" }, bar)];
}

/** Chooses a judgment and shows it; its row is scrolled into sight where the list has it. */
function choose(place) {
  const before = byId(`row-${state.row}`);
  if (before) before.setAttribute("aria-selected", "false");
  state.row = place;
  const at = state.list.indexOf(place);
  if (at >= 0) reveal(at);
  draw();
  const now = byId(`row-${place}`);
  if (now) now.setAttribute("aria-selected", "true");
  showDetail();
  writeAddress();
}

function reveal(at) {
  const pane = byId("rows");
  const top = at * rowHeight;
  if (top < pane.scrollTop) pane.scrollTop = top;
  else if (top + rowHeight > pane.scrollTop + pane.clientHeight) pane.scrollTop = top + rowHeight - pane.clientHeight;
}

/** Moves the choice by some places in the list. */
function move(by) {
  if (!state.list.length) return;
  const at = state.list.indexOf(state.row);
  const next = at < 0 ? (by > 0 ? 0 : state.list.length - 1) : at + by;
  choose(state.list[Math.min(state.list.length - 1, Math.max(0, next))]);
}
