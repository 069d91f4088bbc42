// Labelling: which item and criterion is asked next, and what a label changes.

/** queue: places of items. at: the place in it. criteria: those that are asked. last: the item that was finished before. */
const rating = { queue: [], at: 0, criteria: [], criterion: 0, last: -1, done: false };

/** Whether there is something to label: a text that is judged; where no text is known, a judgment without an error. */
function canBeLabelled(item) {
  const { judged, rows } = ITEMS[item];
  return judged ? judged.some((field) => has(ITEMS[item], field)) : rows.some((row) => !row.error);
}

/** Asks for the items that the search and the facets leave, in the order of the file; scores decide nothing. */
function beginRating() {
  const rows = passing(null, true);
  const can = (criterion) => CRITERIA[criterion].labels.length > 1;
  rating.queue = [...new Set(rows.map((row) => row.item))].filter(canBeLabelled).sort((one, other) => one - other);
  rating.criteria = [...new Set(rows.map((row) => row.criterion))].filter(can).sort((one, other) => one - other);
  rating.last = -1;
  rating.done = false;
  rating.at = 0;
  if (!rating.queue.length || !rating.criteria.length) return;
  const chosenItem = state.row >= 0 ? rating.queue.indexOf(ROWS[state.row].item) : -1;
  if (chosenItem >= 0 && pending(rating.queue[chosenItem]).length) goTo(chosenItem);
  else goOn(-1);
}

/** The criteria that are asked of an item. */
function asked(item) {
  return rating.criteria.filter((criterion) => ITEMS[item].rows.some((row) => row.criterion === criterion));
}

function pending(item) {
  return asked(item).filter((criterion) => labelOf(item, criterion) === undefined);
}

/** Whether the judge's scores of an item may be seen: every label is given. */
function isRevealed(item) {
  return asked(item).length > 0 && !pending(item).length;
}

function goTo(at) {
  rating.at = at;
  rating.done = false;
  const item = rating.queue[at];
  rating.criterion = pending(item)[0] ?? asked(item)[0];
}

/** Goes to the next item after a place of the queue that has a label to give; none is left: it is done. */
function goOn(from) {
  const count = rating.queue.length;
  for (let step = 1; step <= count; step += 1) {
    const at = (from + step + count) % count;
    const item = rating.queue[at];
    if (!skipped.has(item) && pending(item).length) {
      goTo(at);
      return;
    }
  }
  rating.done = true;
}

function rate(label) {
  const item = rating.queue[rating.at];
  const criterion = rating.criterion;
  past.push({ item, criterion, before: labelOf(item, criterion), skipped: skipped.has(item) });
  labels.set(keyOf(item, criterion), label);
  skipped.delete(item);
  changed();
  const open = pending(item);
  const given = `${CRITERIA[criterion].name} ${CRITERIA[criterion].labels[label]}`;
  if (open.length) {
    rating.criterion = open.find((one) => one > criterion) ?? open[0];
    say(`${given}. Next: ${CRITERIA[rating.criterion].name}`);
  } else {
    rating.last = item;
    goOn(rating.at);
    say(rating.done ? `${given}. Every item is done` : `${given}. Next item: ${ITEMS[rating.queue[rating.at]].name}`);
  }
  showLabelling();
}

function skip() {
  if (rating.done || !rating.queue.length) return;
  const item = rating.queue[rating.at];
  past.push({ item, criterion: rating.criterion, skip: true });
  skipped.add(item);
  changed();
  goOn(rating.at);
  say(`skipped ${ITEMS[item].name}`);
  showLabelling();
}

function undo() {
  const step = past.pop();
  if (!step) {
    say("there is nothing to undo");
    return;
  }
  if (step.skip) skipped.delete(step.item);
  else {
    if (step.before === undefined) labels.delete(keyOf(step.item, step.criterion));
    else labels.set(keyOf(step.item, step.criterion), step.before);
    if (step.skipped) skipped.add(step.item);
  }
  changed();
  if (!rating.queue.includes(step.item)) rating.queue.push(step.item);
  goTo(rating.queue.indexOf(step.item));
  rating.criterion = step.criterion;
  if (rating.last === step.item) rating.last = -1;
  say(`back at ${ITEMS[step.item].name}, ${CRITERIA[step.criterion].name}`);
  showLabelling();
}

/** Goes to another item of the queue, whether it is labelled or not. */
function turn(by) {
  const at = rating.done ? rating.queue.length - 1 : rating.at + by;
  if (!rating.queue.length || at < 0 || at >= rating.queue.length) return;
  goTo(at);
  showLabelling();
}

function askSkipped() {
  skipped.clear();
  changed();
  goOn(-1);
  showLabelling();
}

function changed() {
  isDownloaded = false;
  keep();
}

const RESERVED = "us";
const SPARE_KEYS = "1234567890-=qwertyiopfghjkzxcvbnm";

/** The key of every label: its own character where it is one, else the next free one. */
function keysOf(names) {
  const keys = names.map((name) => (/^[0-9a-z]$/i.test(name) && !RESERVED.includes(name.toLowerCase()) ? name.toLowerCase() : ""));
  const free = [...SPARE_KEYS].filter((key) => !keys.includes(key));
  return keys.map((key) => key || free.shift() || "");
}
