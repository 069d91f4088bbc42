// The data of the page, and what is shown of it.

const DATA = JSON.parse(byId("data").textContent);
const { criteria: CRITERIA, items: ITEMS, rows: ROWS, texts: TEXTS } = DATA;

/** The number of labels from which on a scale is long: its labels are typed and not chosen. */
const TYPED = 21;

/** What is shown: the mode, the place in ROWS of the chosen judgment (-1: none), and the places in ROWS of the list. */
const state = { mode: "look", row: -1, list: [], terms: [] };

ITEMS.forEach((item, place) => {
  Object.assign(item, { place, name: String(item.id), rows: [], texts: Object.values(item.fields) });
});
ROWS.forEach((row, place) => {
  row.place = place;
  row.flags = row.flags || [];
  row.off = isNumber(row.score) && isNumber(row.human) ? row.score - row.human : null;
  ITEMS[row.item].rows.push(row);
});

const HAS = {
  criteria: CRITERIA.length > 1,
  systems: ITEMS.some((item) => item.system),
  human: ROWS.some((row) => isNumber(row.human)),
  flags: ROWS.some((row) => row.flags.length),
  words: ITEMS.some((item) => item.words !== undefined),
  errors: ROWS.some((row) => row.error),
};

function isNumber(value) {
  return typeof value === "number";
}

function has(item, field) {
  return Object.hasOwn(item.fields, field);
}

function textOf(item, field) {
  return TEXTS[item.fields[field]];
}

/** The beginning of what is judged, for the list; "" where nothing of it can be seen. */
function snippet(item) {
  const field = (item.judged || [])[0];
  return has(item, field) ? textOf(item, field).slice(0, 240).replace(/\s+/gu, " ").trim() : "";
}

// As the program counts: signs of writing without spaces are words of their own.
const WORD = /[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[\p{L}\p{N}]+?(?=[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af])|[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+|[.,]\d+)*/gu;

function wordsOf(text) {
  return (text.match(WORD) || []).length;
}

/** The words that are searched for, in small letters; quotes hold several together. */
function termsOf(query) {
  const terms = [];
  for (const found of query.toLowerCase().matchAll(/"([^"]+)"?|(\S+)/gu)) terms.push(found[1] || found[2]);
  return terms;
}

let lowered = null;

/** For every item whether it has all terms, in its id, its texts or what the judge wrote; null without a term. */
function matching(terms, blind) {
  if (!terms.length) return null;
  lowered = lowered || TEXTS.map((text) => text.toLowerCase());
  const hits = terms.map((term) => lowered.map((text) => text.includes(term)));
  const wrote = (row, term) => (row.feedback || []).some((text) => text.toLowerCase().includes(term));
  return ITEMS.map((item) =>
    terms.every(
      (term, place) =>
        item.name.toLowerCase().includes(term) ||
        item.texts.some((text) => hits[place][text]) ||
        (!blind && item.rows.some((row) => wrote(row, term))),
    ),
  );
}

/** The lowest and highest value of a scale; those of the page's scores where it is not known. */
function span(criterion) {
  const values = CRITERIA[criterion].values;
  if (values.length) return [values[0], values[values.length - 1]];
  const scores = ROWS.filter((row) => row.criterion === criterion && isNumber(row.score)).map((row) => row.score);
  return scores.length ? [Math.min(...scores), Math.max(...scores)] : [0, 1];
}

function share(value, criterion) {
  const [low, high] = span(criterion);
  return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
}
