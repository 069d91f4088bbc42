// Labels: kept in the browser, downloaded as rows that `lager-lite fit` reads, and loaded from such rows.

const STORED_AS = `lager-lite:labels:${DATA.key}`;
/** "item:criterion" -> the place of the label in its scale. */
const labels = new Map();
/** Places of the items that were skipped. */
const skipped = new Set();
/** What undo takes back, the latest at the end. */
const past = [];
let isKept = true;
let isDownloaded = true;

const keyOf = (item, criterion) => `${item}:${criterion}`;
const labelOf = (item, criterion) => labels.get(keyOf(item, criterion));

function keep() {
  const found = { labels: [], skipped: [...skipped].map((place) => ITEMS[place].name) };
  for (const [key, label] of labels) {
    const [item, criterion] = key.split(":").map(Number);
    found.labels.push([ITEMS[item].name, CRITERIA[criterion].name, CRITERIA[criterion].labels[label]]);
  }
  try {
    if (labels.size || skipped.size) window.localStorage.setItem(STORED_AS, JSON.stringify(found));
    else window.localStorage.removeItem(STORED_AS);
    isKept = true;
  } catch {
    isKept = false;
  }
}

/** Takes the labels that the browser has kept; what is not of our making is passed over. */
function recall() {
  isKept = storage() !== null;
  labels.clear();
  skipped.clear();
  try {
    restore(JSON.parse(window.localStorage.getItem(STORED_AS) || '{"labels":[],"skipped":[]}'));
  } catch {
    say("the labels that this browser has kept cannot be read");
  }
}

function restore(found) {
  const items = new Map(ITEMS.map((item) => [item.name, item.place]));
  const names = new Map(CRITERIA.map((criterion, place) => [criterion.name, place]));
  for (const [id, name, label] of found.labels) {
    const criterion = names.get(name);
    const place = criterion === undefined ? -1 : CRITERIA[criterion].labels.indexOf(label);
    if (items.has(id) && place >= 0) labels.set(keyOf(items.get(id), criterion), place);
  }
  for (const id of found.skipped) if (items.has(id)) skipped.add(items.get(id));
}

/**
 * The labelled items as rows: id, texts, group, and `human_score` or, of several criteria, `scores`. Of the fields only those
 * that the judge reads are given, and who wrote the response: others might be taken for scores.
 */
function labelledRows() {
  const rows = [];
  for (const item of ITEMS) {
    const scores = Object.create(null);
    CRITERIA.forEach((criterion, place) => {
      const label = labelOf(item.place, place);
      if (label !== undefined) scores[criterion.name] = criterion.values[label];
    });
    if (!Object.keys(scores).length) continue;
    const row = Object.assign(Object.create(null), { id: item.id });
    for (const field of item.given || []) row[field] = textOf(item, field);
    if (item.group !== undefined && item.group !== null) row.group = item.group;
    if (HAS.criteria) row.scores = scores;
    else row.human_score = Object.values(scores)[0];
    rows.push(row);
  }
  return rows;
}

function download() {
  const rows = labelledRows();
  const text = rows.map((row) => JSON.stringify(row) + "\n").join("");
  const address = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const name = DATA.name.replace(/\.gz$/, "").replace(/\.[^.]*$/, "");
  make("a", { href: address, download: `${name}.labels.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  isDownloaded = true;
  say(`${counted(rows.length, "labelled item")} downloaded`);
}

/** The rows of a file of JSON Lines, or of one JSON list; null for a line that cannot be read. */
function rowsIn(text) {
  const read = (part) => {
    try {
      return JSON.parse(part);
    } catch {
      return null;
    }
  };
  const whole = read(text);
  return Array.isArray(whole) ? whole : text.split("\n").filter((line) => line.trim()).map(read);
}

/** Takes the labels of rows such as `download` writes; returns in words what was taken and what was not. */
function take(text) {
  const items = new Map(ITEMS.map((item) => [item.name, item.place]));
  let taken = 0, strange = 0, off = 0, broken = 0;
  for (const row of rowsIn(text)) {
    if (row === null || typeof row !== "object") {
      broken += 1;
      continue;
    }
    const item = items.get(String(row.id));
    if (item === undefined) {
      strange += 1;
      continue;
    }
    CRITERIA.forEach((criterion, place) => {
      const value = scoreIn(row, criterion.name);
      if (value === undefined || value === null) return;
      const label = placeOf(criterion, value);
      if (label < 0) off += 1;
      else {
        labels.set(keyOf(item, place), label);
        taken += 1;
      }
    });
  }
  keep();
  const parts = [`${counted(taken, "label")} loaded`];
  if (strange) parts.push(`${counted(strange, "row")} of no item here`);
  if (off) parts.push(`${counted(off, "score")} that the scale does not have`);
  if (broken) parts.push(`${counted(broken, "line")} that cannot be read`);
  return parts.join(", ");
}

function scoreIn(row, name) {
  const named = row.scores && typeof row.scores === "object" ? new Map(Object.entries(row.scores)) : new Map();
  if (named.has(name)) return named.get(name);
  return HAS.criteria ? undefined : (row.human_score ?? row.score);
}

/** The place of a label, given by its worth or as it is written; -1 where the scale has no such label. */
function placeOf(criterion, value) {
  const written = typeof value === "string" ? criterion.labels.indexOf(value) : -1;
  return written >= 0 ? written : criterion.values.indexOf(Number(value));
}
