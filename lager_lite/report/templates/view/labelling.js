// The page on which a person labels: the texts, and a card with the question.

function showLabelling() {
  const reading = byId("reading");
  const focused = document.activeElement ? document.activeElement.id : "";
  if (!rating.queue.length || !rating.criteria.length) {
    const reason = rating.queue.length
      ? "The scale of these judgments is not known, so that they cannot be labelled: give the rubric with -r."
      : "No item passes the filters.";
    fill(reading, make("p", { class: "empty" }, reason));
    fill(byId("card"), files());
    return;
  }
  if (rating.done) {
    fill(reading, finished());
    fill(byId("card"), progress(), lastOf(), moves(), files());
    return;
  }
  const item = ITEMS[rating.queue[rating.at]];
  const open = isRevealed(item.place);
  const fields = open ? Object.keys(item.fields) : item.blind || [];
  const name = make("h2", { dir: "auto" }, shown(item.name));
  if (reading.dataset.item !== String(item.place)) reading.scrollTop = 0;
  reading.dataset.item = item.place;
  fill(reading, name, make("div", { class: "texts" }, textsOf(item, fields, [], true)));
  fill(byId("card"), progress(), tabs(item), question(), choices(item), meanings(), moves(), lastOf(), files());
  const again = focused && byId(focused);
  if (again) again.focus({ preventScroll: true });
  else if (document.activeElement === document.body) reading.focus({ preventScroll: true });
}

function finished() {
  const open = rating.queue.filter((item) => skipped.has(item) && pending(item).length);
  const left = open.length;
  const partly = open.filter((item) => asked(item).some((criterion) => labelOf(item, criterion) !== undefined)).length;
  const parts = [`${counted(labelledCount(), "item")} labelled`];
  if (partly) parts.push(`${whole.format(partly)} of them in part`);
  if (left > partly) parts.push(`${whole.format(left - partly)} skipped`);
  return make(
    "div",
    { class: "empty" },
    make("h2", {}, left ? "Every other item is labelled" : "Every item is labelled"),
    make("p", {}, `${parts.join(", ")}.`),
    make("p", {}, left ? button("Go through the skipped ones", askSkipped) : null, " ", button("Download the labels", download, { class: "first" })),
  );
}

function progress() {
  const total = rating.queue.reduce((sum, item) => sum + asked(item).length, 0);
  const done = total - rating.queue.reduce((sum, item) => sum + pending(item).length, 0);
  const items = rating.queue.filter((item) => !pending(item).length).length;
  const text = HAS.criteria
    ? `${whole.format(done)} of ${counted(total, "label")}, ${whole.format(items)} of ${counted(rating.queue.length, "item")}`
    : `${whole.format(items)} of ${counted(rating.queue.length, "item")}`;
  const few = rating.queue.length < ITEMS.length ? make("span", {}, ", which pass the search and the filters") : null;
  return make("div", { class: "progress" }, make("progress", { max: total, value: done, "aria-label": "Labels that are given" }), make("span", { id: "progress-text" }, text), few);
}

/** The criteria of an item, with the labels that are given; behind all of them the judge's scores. */
function tabs(item) {
  const names = asked(item.place);
  const open = isRevealed(item.place);
  if (names.length < 2 && !open) return null;
  return make("div", { class: "tabs", role: "group", "aria-label": "Criteria" }, names.map((criterion) => {
    const label = labelOf(item.place, criterion);
    const given = label === undefined ? "" : ` ${CRITERIA[criterion].labels[label]}`;
    const choose = () => {
      rating.criterion = criterion;
      showLabelling();
    };
    const more = open ? make("span", { class: "revealed" }, judged(item, criterion)) : null;
    return button([shown(CRITERIA[criterion].name), make("b", {}, given), more], choose, { id: `tab-${criterion}`, "aria-pressed": String(criterion === rating.criterion) });
  }));
}

function judged(item, criterion) {
  const row = item.rows.find((one) => one.criterion === criterion);
  const people = isNumber(row.human) ? `, people ${number(row.human)}` : "";
  return ` judge ${row.error ? "error" : number(row.score)}${people}`;
}

function question() {
  const criterion = CRITERIA[rating.criterion];
  const text = criterion.question ? make("p", { class: "question", dir: "auto" }, shown(criterion.question)) : null;
  const guess = criterion.shipped ? make("p", { class: "question" }, "This is the rubric of that name that ships. Where the judge had another, give it to `lager-lite view` with -r.") : null;
  return [make("h3", { id: "asked", dir: "auto" }, shown(criterion.name)), text, guess];
}

/** What the labels mean, where there is no room for it on the buttons. */
function meanings() {
  const { question: asked, meanings: texts, labels: names } = CRITERIA[rating.criterion];
  if (!asked && !texts.some(Boolean)) return null;
  const lines = names.map((name, place) => texts[place] && [make("dt", { dir: "auto" }, shown(name)), make("dd", { dir: "auto" }, shown(texts[place]))]);
  const open = byId("meanings") ? byId("meanings").open : false;
  return make("details", { id: "meanings", open }, make("summary", {}, "What is asked"), make("p", { dir: "auto" }, shown(asked)), make("dl", { class: "facts" }, lines));
}

function choices(item) {
  const criterion = CRITERIA[rating.criterion];
  const given = labelOf(item.place, rating.criterion);
  if (criterion.labels.length >= TYPED) return typed(criterion, given);
  const keys = keysOf(criterion.labels);
  const buttons = criterion.labels.map((label, place) => {
    const key = keys[place] ? make("kbd", { "aria-hidden": "true" }, keys[place]) : null;
    const meaning = criterion.meanings[place] ? make("span", { class: "meaning", dir: "auto" }, shown(criterion.meanings[place])) : null;
    const own = { id: `label-${place}`, "aria-pressed": String(given === place), "aria-keyshortcuts": keys[place] || null };
    return button([key, make("b", { dir: "auto" }, shown(label)), meaning], () => rate(place), own);
  });
  const short = criterion.labels.every((label) => label.length <= 3) && !criterion.meanings.some(Boolean);
  return make("div", { class: short ? "choices short" : "choices", role: "group", "aria-labelledby": "asked" }, buttons);
}

/** A long scale: the label is typed. */
function typed(criterion, given) {
  const hint = `${criterion.labels[0]} to ${criterion.labels[criterion.labels.length - 1]}`;
  const input = make("input", { id: "typed", inputmode: "decimal", autocomplete: "off", "aria-label": `Label, ${hint}`, placeholder: hint, value: given === undefined ? null : criterion.labels[given] });
  const submit = (event) => {
    event.preventDefault();
    const place = placeOf(criterion, input.value.trim());
    if (place >= 0) rate(place);
    else {
      input.setAttribute("aria-invalid", "true");
      say(`${input.value} is not a label: ${hint}`);
    }
  };
  return make("form", { class: "typed", onsubmit: submit }, input, make("button", {}, "Give"));
}

function moves() {
  const key = (text) => make("kbd", { "aria-hidden": "true" }, text);
  return make(
    "div",
    { class: "moves" },
    button(["‹", make("span", { class: "unseen" }, "the item before")], () => turn(-1), { id: "turn-back", title: "the item before (←)" }),
    button(["›", make("span", { class: "unseen" }, "the next item")], () => turn(1), { id: "turn-on", title: "the next item (→)" }),
    button([key("s"), " Skip"], skip, { id: "skip" }),
    button([key("u"), " Undo"], undo, { id: "undo", disabled: !past.length }),
  );
}

/** The item that was finished before, with the judge's scores beside the labels. */
function lastOf() {
  if (rating.last < 0) return null;
  const item = ITEMS[rating.last];
  const lines = asked(rating.last).map((criterion) => {
    const own = CRITERIA[criterion].labels[labelOf(rating.last, criterion)];
    return make("li", {}, HAS.criteria ? [shown(CRITERIA[criterion].name), ": "] : null, "you ", make("b", { dir: "auto" }, own), ",", judged(item, criterion));
  });
  return make("div", { class: "last" }, make("span", { dir: "auto" }, make("bdi", { class: "muted" }, "Before: "), shown(item.name)), make("ul", {}, lines));
}

/** How many items have a label, also those that the filters leave out: as many rows are downloaded. */
function labelledCount() {
  return new Set([...labels.keys()].map((key) => key.split(":")[0])).size;
}

function files() {
  const count = labelledCount();
  const forget = () => {
    if (!window.confirm(`Forget all labels of ${counted(count, "item")} on this page?`)) return;
    labels.clear();
    skipped.clear();
    past.length = 0;
    keep();
    beginRating();
    showLabelling();
  };
  const kept = isKept ? null : make("p", { class: "bad", id: "not-kept" }, "This browser keeps nothing for this page: download the labels before you close it.");
  const texts = ITEMS.some((item) => Object.keys(item.fields).length) ? null : make("p", { class: "muted" }, "The texts are not known here, so that the rows that are downloaded have only ids and labels.");
  return make(
    "div",
    { class: "files" },
    kept,
    texts,
    button(count ? `Download ${counted(count, "labelled item")}` : "Download", download, { id: "download", class: "first", disabled: !count }),
    button("Load…", () => byId("load-file").click(), { id: "load", title: "take the labels of a file that was downloaded before" }),
    button("Forget…", forget, { id: "forget", class: "plain", disabled: !count }),
    make("p", { id: "loaded", class: "muted" }, state.loaded || ""),
  );
}
