// Which judgments are listed: search, facets, bounds, and the order.

const NONE = "(none)";
/** The facets: how a facet reads a row, as a list of values. */
const FACETS = [
  { name: "criterion", title: "Criterion", on: HAS.criteria, of: (row) => [CRITERIA[row.criterion].name] },
  { name: "system", title: "System", on: HAS.systems, of: (row) => [ITEMS[row.item].system || NONE] },
  { name: "flag", title: "Flags", on: HAS.flags || HAS.errors, judge: true, of: flagsOf },
  { name: "mine", title: "My labels", on: true, judge: true, of: (row) => [isLabelled(row) ? "labelled" : "not labelled"] },
].filter((facet) => facet.on);
const SHOWN_VALUES = 12;

/** What was chosen: values by facet, bounds by name, and the facets that show all their values. */
const chosen = { values: {}, bounds: {}, open: new Set() };
for (const facet of FACETS) chosen.values[facet.name] = new Set();
const order = { by: "", down: false };

function flagsOf(row) {
  if (row.error) return ["error"];
  return row.flags.length ? row.flags : ["no flag"];
}

const isLabelled = (row) => labelOf(row.item, row.criterion) !== undefined;

const BOUNDS = [
  { name: "low", title: "Score from", passes: (row, bound) => isNumber(row.score) && row.score >= bound },
  { name: "high", title: "Score to", passes: (row, bound) => isNumber(row.score) && row.score <= bound },
  { name: "off", title: "Error, either way, from", on: HAS.human, passes: (row, bound) => row.off !== null && Math.abs(row.off) >= bound },
].filter((bound) => bound.on !== false);

/** The columns of the list: what they are sorted by, what they show where that is another, and how wide they are. */
const COLUMNS = [
  { name: "item", title: "Item", width: "minmax(5.5rem, 2fr)", of: (row) => ITEMS[row.item].name },
  { name: "criterion", title: "Criterion", width: "minmax(3rem, 1.1fr)", on: HAS.criteria, wide: true, of: (row) => CRITERIA[row.criterion].name },
  { name: "system", title: "System", width: "minmax(3rem, 1fr)", on: HAS.systems, wide: true, of: (row) => ITEMS[row.item].system },
  { name: "flags", title: "Flags", width: "minmax(3rem, 1fr)", on: HAS.flags, wide: true, of: (row) => row.flags.join(", ") || null },
  { name: "words", title: "Words", width: "3.2rem", on: HAS.words, wide: true, figure: true, of: (row) => ITEMS[row.item].words },
  { name: "score", title: "Score", width: "3.2rem", figure: true, of: (row) => row.score },
  { name: "human", title: "Human", width: "3.4rem", on: HAS.human, figure: true, of: (row) => row.human },
  { name: "off", title: "Error", width: "3.4rem", on: HAS.human, figure: true, of: (row) => (row.off === null ? null : Math.abs(row.off)), shown: (row) => (row.off === null ? "-" : signed(row.off)) },
  { name: "mine", title: "Mine", width: "3.2rem", wide: true, figure: true, when: () => labels.size > 0, of: mineOf },
].filter((column) => column.on !== false);

/** What my label of a judgment is worth; undefined where it has none. */
function mineOf(row) {
  return CRITERIA[row.criterion].values[labelOf(row.item, row.criterion)];
}

/** Which rows pass everything that was chosen; except: a facet that is left out, to count its values. */
function passing(except, blind = false) {
  const found = state.found;
  const facets = FACETS.filter((f) => f.name !== except && !(blind && f.judge) && chosen.values[f.name].size);
  const bounds = blind ? [] : BOUNDS.filter((bound) => isNumber(chosen.bounds[bound.name]));
  return ROWS.filter(
    (row) =>
      (!found || found[row.item]) &&
      facets.every((facet) => facet.of(row).some((value) => chosen.values[facet.name].has(value))) &&
      bounds.every((bound) => bound.passes(row, chosen.bounds[bound.name])),
  );
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function sorted(rows) {
  const column = COLUMNS.find((one) => one.name === order.by);
  if (!column) return rows;
  const nothing = (value) => value === undefined || value === null;
  const pairs = rows.map((row) => [column.of(row), row]);
  const sign = order.down ? -1 : 1;
  pairs.sort(([one, first], [other, second]) => {
    if (nothing(one) || nothing(other)) return nothing(one) - nothing(other) || first.place - second.place;
    const apart = column.figure ? one - other : collator.compare(one, other);
    return sign * apart || first.place - second.place;
  });
  return pairs.map((pair) => pair[1]);
}

/** Reads what was chosen, and shows the list anew. */
function refresh() {
  state.terms = termsOf(byId("search").value);
  state.found = matching(state.terms, state.mode === "label");
  state.list = sorted(passing(null)).map((row) => row.place);
  const total = ROWS.length;
  const all = state.list.length === total;
  const count = all ? counted(total, "judgment") : `${whole.format(state.list.length)} of ${counted(total, "judgment")}`;
  fill(byId("count"), count, state.mode === "look" ? means() : "");
  showFilters();
  showList();
}

/** The means of what is listed, in words; none over several scales. */
function means() {
  const scales = new Set(state.list.map((place) => CRITERIA[ROWS[place].criterion].values.join()));
  if (scales.size > 1) return "";
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const parts = [["score", (row) => row.score], ["human", (row) => row.human], ["error without its sign", (row) => (row.off === null ? null : Math.abs(row.off))]].map(([name, of]) => {
    const values = state.list.map((place) => of(ROWS[place])).filter(isNumber);
    return values.length ? `${name} ${number(mean(values))}` : "";
  });
  const said = parts.filter(Boolean).join(", ");
  return said ? make("span", { id: "means" }, ` · mean ${said}`) : "";
}

function restrictions() {
  const values = Object.values(chosen.values).reduce((sum, set) => sum + set.size, 0);
  return values + BOUNDS.filter((bound) => isNumber(chosen.bounds[bound.name])).length;
}

function clearFilters() {
  for (const set of Object.values(chosen.values)) set.clear();
  chosen.bounds = {};
  byId("search").value = "";
  byId("filters").textContent = "";
  refresh();
}

function showFilters() {
  const pane = byId("filters");
  const focused = document.activeElement && pane.contains(document.activeElement) ? document.activeElement.id : "";
  const count = restrictions();
  const open = byId("look").hasAttribute("data-filters");
  byId("filters-open").textContent = `${open ? "Close filters" : "Filters"}${count ? ` (${count})` : ""}`;
  const clear = count || byId("search").value ? button("Clear all", clearFilters, { id: "clear", class: "plain" }) : null;
  fill(pane, make("h2", { class: "unseen" }, "Filters"), FACETS.map(facetOf), bounds(), clear);
  const again = focused && byId(focused);
  if (again) again.focus();
}

function facetOf(facet) {
  const counts = new Map();
  for (const row of ROWS) for (const value of facet.of(row)) counts.set(value, 0);
  for (const row of passing(facet.name)) for (const value of facet.of(row)) counts.set(value, counts.get(value) + 1);
  const values = [...counts.keys()];
  if (facet.name === "system") values.sort(collator.compare);
  const taken = chosen.values[facet.name];
  if (values.length < 2 && !taken.size) return null;
  const open = chosen.open.has(facet.name) || values.length <= SHOWN_VALUES + 1;
  const visible = open ? values : values.filter((value, place) => place < SHOWN_VALUES || taken.has(value));
  const more = () => {
    chosen.open.add(facet.name);
    showFilters();
  };
  return make(
    "fieldset",
    {},
    make("legend", {}, facet.title),
    visible.map((value) => choice(facet, value, values.indexOf(value), counts.get(value))),
    open ? null : button(`Show all ${whole.format(values.length)}`, more, { class: "plain" }),
  );
}

function choice(facet, value, place, count) {
  const taken = chosen.values[facet.name];
  const change = (event) => {
    if (event.target.checked) taken.add(value);
    else taken.delete(value);
    refresh();
  };
  const box = make("input", { type: "checkbox", id: `${facet.name}-${place}`, checked: taken.has(value), onchange: change });
  const text = make("span", { class: "value", dir: "auto" }, shown(value));
  return make("label", { class: count ? "" : "muted" }, box, text, make("span", { class: "amount" }, whole.format(count)));
}

function bounds() {
  if (!ROWS.some((row) => isNumber(row.score))) return null;
  const fields = BOUNDS.map((bound) => {
    const change = (event) => {
      const value = event.target.valueAsNumber;
      if (Number.isNaN(value)) delete chosen.bounds[bound.name];
      else chosen.bounds[bound.name] = value;
      refresh();
    };
    const value = chosen.bounds[bound.name];
    const input = make("input", { type: "number", step: "any", id: `bound-${bound.name}`, value: isNumber(value) ? value : null, onchange: change });
    return make("label", { class: "bound" }, bound.title, input);
  });
  return make("fieldset", {}, make("legend", {}, "Bounds"), fields);
}
