// One judgment: its figures, and the texts of its item.

const LONG = 900;
const MAIN = new Set(["instruction", "source", "reference", "response", "rubric", "rendered"]);
const TITLES = new Map([["rendered", "Prompt"], ["source", "Source text"], ["reference", "Reference answer"]]);
/** The fields whose long texts are shown whole. */
const opened = new Set();

function showDetail() {
  const pane = byId("detail");
  if (state.row < 0) {
    fill(pane, make("p", { class: "empty" }, state.missing || "Choose a judgment in the list to see its texts."));
    return;
  }
  const row = ROWS[state.row];
  const item = ITEMS[row.item];
  const terms = state.terms;
  fill(pane, heading(item, row), verdict(row), charts(row), others(row, item), wrote(row, terms), textsOf(item, Object.keys(item.fields), terms));
  pane.scrollTop = 0;
}

function heading(item, row) {
  const back = button("‹ List", closeDetail, { class: "back" });
  const link = make("a", { href: addressOf(row), class: "link" }, "Link");
  const name = make("h2", { dir: "auto" }, shown(item.name, state.terms));
  const about = [HAS.criteria ? CRITERIA[row.criterion].name : null, item.system].filter(Boolean);
  return make(
    "header",
    {},
    make("div", { class: "steps" }, back, make("span", { class: "grow" }), link, button("‹", () => move(-1), { title: "the one before (k)", "aria-label": "the one before" }), button("›", () => move(1), { title: "the next one (j)", "aria-label": "the next one" })),
    name,
    about.length ? make("p", { class: "muted", dir: "auto" }, shown(about.join(" · "))) : null,
  );
}

function verdict(row) {
  if (row.error) return make("div", { class: "fault", role: "note" }, make("b", {}, "No score. "), shown(row.error), mineShown(row), flagsShown(row));
  const main = [figure("Score", number(row.score), isNumber(row.low) ? `${number(row.low)} to ${number(row.high)}` : "")];
  if (isNumber(row.human)) {
    main.push(figure("Human", number(row.human), row.people.length > 1 ? row.people.map(brief).join(", ") : ""));
    main.push(figure("Error", signed(row.score - row.human), ""));
  }
  if (isLabelled(row)) main.push(figure("Mine", mine(row), ""));
  const small = [["raw", row.raw_score, 2], ["direct", row.direct, 2], ["e_score", row.e_score, 2], ["uniform", row.uniform, 2], ["mass", row.mass, 3], ["tokens", row.tokens, 0]];
  const rest = small.filter((one) => isNumber(one[1])).map(([name, value, digits]) => make("span", {}, make("span", { class: "muted" }, `${name} `), number(value, digits)));
  if (row.members) rest.push(make("span", {}, make("span", { class: "muted" }, "members "), row.members.map((one) => number(one)).join(", ")));
  return make("div", { class: "verdict" }, make("dl", { class: "main-figures" }, main), make("p", { class: "small-figures" }, rest), flagsShown(row));
}

function figure(name, value, more) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, make("span", { class: "value", dir: "auto" }, value), more ? make("span", { class: "more" }, more) : null));
}

function mineShown(row) {
  return isLabelled(row) ? make("p", {}, "Mine: ", shown(mine(row))) : null;
}

function flagsShown(row) {
  return row.flags.length ? make("ul", { class: "flags", "aria-label": "Flags" }, row.flags.map((flag) => make("li", { dir: "auto" }, shown(flag)))) : null;
}

function charts(row) {
  const parts = [];
  if (row.probabilities) parts.push(make("section", {}, make("h3", {}, "Labels"), distribution(row)));
  if (row.per_layer && isNumber(row.score)) parts.push(make("section", {}, make("h3", {}, "Layers"), layers(row)));
  return parts.length ? make("div", { class: "charts" }, parts) : null;
}

/** The judgments of the same item by other criteria. */
function others(row, item) {
  if (item.rows.length < 2) return null;
  const lines = item.rows.map((one) => {
    const name = button(shown(CRITERIA[one.criterion].name), () => choose(one.place), { class: "plain", "aria-current": one === row ? "true" : null });
    const human = HAS.human ? make("td", {}, number(one.human)) : null;
    const off = HAS.human ? make("td", {}, one.off === null ? "-" : signed(one.score - one.human)) : null;
    return make("tr", { class: one === row ? "current" : "" }, make("th", { scope: "row" }, name), make("td", {}, one.error ? make("span", { class: "bad" }, "error") : number(one.score)), human, off);
  });
  const head = ["Criterion", "Score", ...(HAS.human ? ["Human", "Error"] : [])].map((name) => make("th", { scope: "col" }, name));
  return make("table", { class: "others" }, make("thead", {}, make("tr", {}, head)), make("tbody", {}, lines));
}

/** What the judge wrote before the score. */
function wrote(row, terms) {
  return (row.feedback || []).map((text, place) => section(row.feedback.length > 1 ? `Feedback ${place + 1}` : "Feedback", text, terms, { key: "feedback" }));
}

/** The texts of an item: sections for what is long, and a table for the rest. */
function textsOf(item, fields, terms, open = false) {
  if (!Object.keys(item.fields).length) {
    return make("p", { class: "empty" }, "The texts of this item are not known: give the file that was scored to `lager-lite view` too, or score with --keep.");
  }
  const judged = new Set(item.judged);
  const long = (field) => MAIN.has(field) || judged.has(field) || textOf(item, field).length > 90 || textOf(item, field).includes("\n");
  const sections = fields.filter(long).map((field) => section(titleOf(field), textOf(item, field), terms, { key: field, judged: judged.has(field), open }));
  const rest = fields.filter((field) => !long(field)).map((field) => [make("dt", { dir: "auto" }, shown(field)), make("dd", { dir: "auto" }, shown(textOf(item, field), terms))]);
  const missing = item.judged.filter((field) => !has(item, field)).map((field) => section(titleOf(field), "", [], { key: field, judged: true }));
  return [missing, sections, rest.length ? make("section", {}, make("h3", {}, "Other fields"), make("dl", { class: "facts" }, rest)) : null];
}

function titleOf(field) {
  return TITLES.get(field) || field.charAt(0).toUpperCase() + field.slice(1);
}

function section(title, text, terms, { key, judged = false, open: whole = false }) {
  const mark = judged ? make("span", { class: "judged-mark" }, "judged") : null;
  const head = make("h3", { dir: "auto" }, shown(title), mark, make("span", { class: "muted" }, counted(wordsOf(text), "word")));
  const visible = text.trim() ? shown(text, terms) : [make("span", { class: "muted" }, text ? "(blank)" : "(empty)"), shown(text)];
  const body = make("div", { class: "text", dir: "auto" }, visible);
  const close = text.length > LONG && !judged && !whole && !opened.has(key) && !body.querySelector("mark");
  if (!close) return make("section", { class: judged ? "judged" : "" }, head, body);
  body.classList.add("closed");
  const open = button("Show all of it", () => {
    opened.add(key);
    body.classList.remove("closed");
    open.remove();
  }, { class: "plain" });
  return make("section", {}, head, body, open);
}

const isNarrow = () => window.matchMedia("(max-width: 45rem)").matches;

/** On a phone the item takes the place of the list, and the browser's own way back returns to it. */
function openDetail(focus = false) {
  const pane = byId("look");
  if (isNarrow() && pane.dataset.pane !== "detail") {
    try {
      window.history.pushState({ detail: true }, "");
    } catch {
      // the button of the page leads back, too
    }
  }
  pane.dataset.pane = "detail";
  if (focus || isNarrow()) byId("detail").focus({ preventScroll: true });
}

function closeDetail() {
  if (window.history.state && window.history.state.detail) window.history.back();
  else listAgain();
}

function listAgain() {
  byId("look").dataset.pane = "list";
  showList();
  const at = state.list.indexOf(state.row);
  if (at >= 0) reveal(at);
  byId("grid").focus({ preventScroll: true });
}
