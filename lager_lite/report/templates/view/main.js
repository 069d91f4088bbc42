// The page as a whole: its modes, colours and address.

const THEMES = ["auto", "light", "dark"];
let theme = "auto";

function setTheme(name) {
  theme = THEMES.includes(name) ? name : "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  fill(byId("theme"), make("span", { class: "spare" }, "Colours: "), theme);
  byId("theme").title = "Colours: auto, light or dark (t)";
}

function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  const kept = storage();
  if (kept) kept.setItem("lager-lite:theme", theme);
}

function setMode(mode) {
  state.mode = mode;
  for (const name of ["look", "label"]) {
    byId(name).hidden = name !== mode;
    byId(`to-${name}`).setAttribute("aria-pressed", String(name === mode));
  }
  refresh();
  if (mode === "label") {
    beginRating();
    showLabelling();
    byId("reading").focus({ preventScroll: true });
  } else {
    showDetail();
    byId("grid").focus({ preventScroll: true });
  }
}

function addressOf(row) {
  const parts = [["id", ITEMS[row.item].name], ...(HAS.criteria ? [["criterion", CRITERIA[row.criterion].name]] : [])];
  return "#" + parts.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed ? value.toWellFormed() : value)}`).join("&");
}

function writeAddress() {
  if (state.row < 0) return;
  try {
    window.history.replaceState(window.history.state, "", addressOf(ROWS[state.row]));
  } catch {
    // a browser that forbids it shows the page without an address for the item
  }
}

/** Chooses the item that the address names; returns whether it names one. */
function readAddress() {
  const asked = new URLSearchParams(window.location.hash.slice(1));
  const id = asked.get("id");
  if (id === null) return false;
  const item = ITEMS.find((one) => one.name === id);
  const row = item && (item.rows.find((one) => CRITERIA[one.criterion].name === asked.get("criterion")) || item.rows[0]);
  state.missing = row ? "" : `There is no item ${id} on this page.`;
  if (row) choose(row.place);
  else {
    state.row = -1;
    showDetail();
  }
  byId("look").dataset.pane = "detail";
  return true;
}

/** Runs `action` once a pause has passed; its `now` runs it at once. */
function soon(action, pause) {
  let timer = 0;
  const run = () => {
    clearTimeout(timer);
    timer = 0;
    action();
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(run, pause);
  };
  later.now = () => timer && run();
  return later;
}

const refreshSoon = soon(() => {
  refresh();
  byId("rows").scrollTop = 0;
  showDetail();
}, 120);

function showSummary() {
  const failed = ROWS.filter((row) => row.error).length;
  const parts = [`${counted(ROWS.length, "judgment")} of ${counted(ITEMS.length, "item")}`];
  if (HAS.criteria) parts.push(`${CRITERIA.length} criteria`);
  else if (CRITERIA.length) parts.push(CRITERIA[0].name);
  if (failed) parts.push(counted(failed, "error"));
  fill(byId("title"), shown(DATA.name));
  fill(byId("summary"), shown(parts.join(" · ")));
}

function showNotes() {
  const close = button("Close", () => (byId("notes").hidden = true), { class: "plain" });
  byId("notes").hidden = !DATA.warnings.length;
  if (DATA.warnings.length) fill(byId("notes"), make("ul", {}, DATA.warnings.map((text) => make("li", { dir: "auto" }, shown(text)))), close);
}

async function loadFile(event) {
  const file = event.target.files[0];
  event.target.value = "";
  if (!file) return;
  state.loaded = take(await file.text());
  isDownloaded = false;
  say(state.loaded);
  beginRating();
  showLabelling();
}

function listen() {
  byId("to-look").addEventListener("click", () => setMode("look"));
  byId("to-label").addEventListener("click", () => setMode("label"));
  byId("skip-filters").addEventListener("click", (event) => {
    event.preventDefault();
    if (state.mode === "look") byId("grid").focus();
    else byId("reading").focus();
  });
  byId("theme").addEventListener("click", nextTheme);
  byId("help-open").addEventListener("click", showHelp);
  byId("search").addEventListener("input", refreshSoon);
  byId("rows").addEventListener("scroll", draw, { passive: true });
  byId("load-file").addEventListener("change", loadFile);
  byId("filters-open").addEventListener("click", () => {
    const open = byId("look").toggleAttribute("data-filters");
    byId("filters-open").setAttribute("aria-expanded", String(open));
    refresh();
  });
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", readAddress);
  window.addEventListener("popstate", (event) => !(event.state && event.state.detail) && listAgain());
  window.addEventListener("resize", soon(showList, 60));
  window.addEventListener("beforeunload", (event) => {
    if (labels.size && !isKept && !isDownloaded) event.preventDefault();
  });
  window.addEventListener("storage", (event) => {
    if (event.key !== STORED_AS) return;
    recall();
    if (state.mode === "label") showLabelling();
    else refresh();
  });
}

function begin() {
  const kept = storage();
  setTheme(kept ? kept.getItem("lager-lite:theme") : "auto");
  recall();
  showSummary();
  showNotes();
  listen();
  refresh();
  if (!readAddress()) {
    if (state.list.length && !isNarrow()) choose(state.list[0]);
    else showDetail();
  }
}

begin();
