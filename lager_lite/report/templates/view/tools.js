// Elements, texts and numbers.

const byId = (id) => document.getElementById(id);

/** An element; attributes that begin with "on" are listeners. Children are elements and texts, and never markup. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
}

function fill(element, ...children) {
  element.textContent = "";
  add(element, children);
}

function button(text, action, attributes) {
  return make("button", { type: "button", onclick: action, ...attributes }, text);
}

// Joiners are left out, since emoji and several scripts need them.
const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/** A text as nodes: characters that nobody sees are named, and what was searched for is marked. */
function shown(text, terms = []) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(HIDDEN)) {
    nodes.push(...marked(text.slice(end, found.index), terms));
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    nodes.push(make("span", { class: "unprinted", title: "a character that is not shown" }, `U+${code}`));
    end = found.index + found[0].length;
  }
  nodes.push(...marked(text.slice(end), terms));
  return nodes;
}

function marked(text, terms) {
  if (!terms.length) return text ? [text] : [];
  const escaped = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text
    .split(new RegExp(`(${escaped.join("|")})`, "giu"))
    .map((part, place) => (place % 2 ? make("mark", {}, part) : part))
    .filter((part) => part !== "");
}

const whole = new Intl.NumberFormat("en");

function counted(count, noun) {
  return `${whole.format(count)} ${noun}${count === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
}

function number(value, digits = 2) {
  return value === undefined || value === null ? "-" : value.toFixed(digits);
}

function signed(value, digits = 2) {
  const text = value.toFixed(digits).replace(/^-(0\.0*)$/, "$1");
  return value > 0 ? `+${text}` : text;
}

/** The shortest way to write a number that may be whole. */
function brief(value) {
  return String(Math.round(value * 100) / 100);
}

/** Says something to those who hear the page. */
function say(text) {
  byId("said").textContent = text;
}

/** The browser's storage, or null where it keeps nothing for this page. */
function storage() {
  try {
    const kept = window.localStorage;
    kept.setItem("lager-lite:test", "1");
    kept.removeItem("lager-lite:test");
    return kept;
  } catch {
    return null;
  }
}
