// What keys do. A key that is pressed while something is typed, or with Ctrl or Alt, is left to the browser.

const LOOK_KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => byId("search").focus(),
  l: () => setMode("label"),
  t: nextTheme,
};
const GRID_KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(Math.max(1, Math.floor(byId("rows").clientHeight / rowHeight) - 1)),
  PageUp: () => move(-Math.max(1, Math.floor(byId("rows").clientHeight / rowHeight) - 1)),
  Home: () => move(-state.list.length),
  End: () => move(state.list.length),
  Enter: () => openDetail(true),
};
const LABEL_KEYS = { u: undo, s: skip, ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), Escape: () => setMode("look") };

const HELP_LOOK = [["j k ↓ ↑", "the next one, the one before"], ["Enter", "read the item"], ["Esc", "back to the list"], ["/", "search"], ["l", "label"], ["t", "colours"], ["?", "this help"]];
const HELP_LABEL = [["1 2 3 …", "give the label with this key"], ["u", "undo"], ["s", "skip the item"], ["← →", "the item before, the next one"], ["Esc", "back to looking"]];

function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox]):not([type=file]), textarea, select") !== null;
}

function isPressable(target) {
  return target instanceof Element && target.closest("button, a, summary, input") !== null;
}

function onKey(event) {
  if (byId("help").open || event.isComposing) return;
  if (event.repeat && state.mode === "label") return; // a key that is held down would label item after item
  if (event.key === "z" && (event.ctrlKey || event.metaKey) && state.mode === "label" && !isTyping(event.target)) {
    event.preventDefault();
    undo();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target)) {
    inSearch(event);
    return;
  }
  if ((event.key === "Enter" || event.key === " ") && isPressable(event.target)) return;
  if (event.key.length === 1 && !byId("single-keys").checked) return;
  const action = event.key === "?" ? showHelp : state.mode === "label" ? labelKey(event.key) : lookKey(event);
  if (!action) return;
  event.preventDefault();
  action();
}

function labelKey(key) {
  const criterion = CRITERIA[rating.criterion];
  if (!rating.done && rating.queue.length && criterion && criterion.labels.length < TYPED && key.length === 1) {
    const place = keysOf(criterion.labels).indexOf(key.toLowerCase());
    if (place >= 0) return () => rate(place);
  }
  return LABEL_KEYS[key];
}

function lookKey(event) {
  if (LOOK_KEYS[event.key]) return LOOK_KEYS[event.key];
  if (event.key === "Escape") return byId("look").dataset.pane === "detail" || byId("detail").contains(document.activeElement) ? closeDetail : null;
  const inList = event.target === document.body || byId("list").contains(event.target);
  return inList ? GRID_KEYS[event.key] : null;
}

function inSearch(event) {
  if (event.target.id !== "search") return;
  if (event.key === "Escape" && !event.target.value) byId("grid").focus();
  if (event.key !== "Enter" && event.key !== "ArrowDown") return;
  event.preventDefault();
  refreshSoon.now();
  byId("grid").focus();
  if (!state.list.includes(state.row)) move(1);
}

function showHelp() {
  const pairs = (keys) => keys.map(([key, text]) => [make("dt", {}, key.split(" ").map((one) => make("kbd", {}, one))), make("dd", {}, text)]);
  fill(byId("help-look"), pairs(HELP_LOOK));
  fill(byId("help-label"), pairs(HELP_LABEL));
  byId("help").showModal();
}
