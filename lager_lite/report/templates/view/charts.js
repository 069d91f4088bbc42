// The distribution over the labels as bars, and the layers as a line.

const SVG = "http://www.w3.org/2000/svg";

function draft(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One bar for each label, with its probability. */
function distribution(row) {
  const { labels: names, values } = CRITERIA[row.criterion];
  const shares = row.probabilities;
  const top = Math.max(...shares);
  const bars = shares.map((p, place) => {
    const bar = make("span", { class: "bar" });
    bar.style.width = `${(100 * p) / Math.max(top, 0.01)}%`;
    const people = (row.people || []).filter((score) => nearest(values, score) === place).length;
    return [
      make("dt", { dir: "auto" }, shown(names[place])),
      make("dd", {}, make("span", { class: "lane", "aria-hidden": "true" }, bar), make("span", { class: "share" }, percent(p)), make("span", { class: "people" }, people ? `${people} ${people === 1 ? "person" : "people"}` : "")),
    ];
  });
  const long = shares.length >= TYPED;
  return make("dl", { class: long ? "distribution long" : "distribution", tabindex: long ? "0" : null, "aria-label": "Probability of each label" }, bars);
}

function percent(p) {
  return p > 0 && p < 0.001 ? "<0.1%" : `${(100 * p).toFixed(1)}%`;
}

/** The place of the value that is nearest to a score. */
function nearest(values, score) {
  return values.reduce((best, value, place) => (Math.abs(value - score) < Math.abs(values[best] - score) ? place : best), 0);
}

const CHART = { width: 300, height: 140, left: 24, right: 10, top: 10, bottom: 26 };

/** The expected score of every state, the score as a dashed line, and the human score as a dotted one. */
function layers(row) {
  const scores = row.per_layer;
  const [low, high] = span(row.criterion);
  const { width, height, left, right, top, bottom } = CHART;
  const last = Math.max(1, scores.length - 1);
  const x = (state) => left + ((width - left - right) * state) / last;
  const y = (score) => height - bottom - ((height - top - bottom) * (score - low)) / (high - low || 1);
  const level = (score, name) => draft("line", { class: name, x1: left, x2: width - right, y1: y(score), y2: y(score) });
  const said = (text, at, attributes) => {
    const element = draft("text", { ...at, ...attributes });
    element.textContent = text;
    return element;
  };
  const ends = [low, high].flatMap((score) => [level(score, "rule"), said(brief(score), { x: left - 6, y: y(score) + 4 }, { "text-anchor": "end" })]);
  const ticks = [0, Math.round(last / 2), last].map((state) =>
    said(String(state), { x: x(state), y: height - 8 }, { "text-anchor": state === last ? "end" : state ? "middle" : "start" }),
  );
  const points = scores.map((score, state) => `${x(state).toFixed(1)},${y(score).toFixed(1)}`).join(" ");
  const about = `Expected score of every state: ${number(scores[0])} at state 0, ${number(scores[scores.length - 1])} at state ${scores.length - 1}`;
  const chart = draft(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": about, class: "layers" },
    ...ends,
    ...ticks,
    level(row.score, "mark-score"),
    ...(isNumber(row.human) ? [level(row.human, "mark-human")] : []),
    draft("polyline", { points, class: "line" }),
  );
  const legend = `State 0 to ${scores.length - 1}. Dashed: the score${isNumber(row.human) ? "; dotted: the human score" : ""}.`;
  const figures = make("details", {}, make("summary", {}, "Figures"), make("p", { class: "figures" }, scores.map((score, state) => `${state}: ${number(score)}`).join("  ")));
  return make("figure", {}, chart, make("figcaption", {}, legend), figures);
}
