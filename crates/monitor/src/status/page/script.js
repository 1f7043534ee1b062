"use strict";
// Everything comes from /status, and everything is text: nothing that a peer has chosen is ever markup.
const EVERY = 2000, PATIENCE = 5000, MOST_ROWS = 1000;
const COMMON = new Set(["program", "version", "pid", "uptime_seconds", "ready", "reason", "draining", "reload",
  "limits", "warnings", "critical", "metadata", "now"]);
// Columns and facts that are looked for first; /status has them by the alphabet.
const FIRST = ["name", "id", "state", "ready", "reason", "error", "destination", "address", "user", "connections", "sessions"];
const place = (name) => FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length;
const inOrder = (names) => [...names].sort((a, b) => place(a) - place(b));
const at = (id) => document.getElementById(id);

function make(tag, text, kind) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

// Numbers for people.
const round = (value, places) => value.toLocaleString("en", { maximumFractionDigits: places });
const places = (value) => Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) { value /= 1024; unit++; }
  return [round(value, unit ? places(value) : 0), units[unit]];
}
function lasting(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const from = units.findIndex(([size]) => seconds >= size);
  if (from < 0 || from === 3) return `${round(seconds, seconds < 10 ? 3 : 0)} s`;
  const [[big, name], [small, next]] = [units[from], units[from + 1]];
  const rest = Math.floor(seconds % big / small);
  return `${Math.floor(seconds / big)} ${name}${rest ? ` ${rest} ${next}` : ""}`;
}
function shown(value, unit) {
  if (typeof value !== "number") return ["–", ""];
  switch (unit) {
    case "bytes": return bytes(value);
    case "bytes/sec": { const [number, of] = bytes(value); return [number, `${of}/s`]; }
    case "percentage": return [round(value, places(value)), "%"];
    case "milliseconds": return value >= 1000 ? [round(value / 1000, 2), "s"] : [round(value, places(value)), "ms"];
    case "integer": return [round(value, 0), ""];
    default: return [round(value, places(value)), ""];
  }
}
function plain(name, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") {
    if (/(^|_)seconds$/.test(name)) return lasting(value);
    if (/(^|_)bytes$/.test(name)) return bytes(value).join(" ");
    return /(^|_)(pid|port|id|created)$/.test(name) ? String(value) : round(value, 3);
  }
  if (Array.isArray(value)) return value.map((one) => plain(name, one)).join(", ") || "–";
  if (typeof value === "object") return Object.entries(value).map(([k, v]) => `${words(k)} ${plain(k, v)}`).join(", ") || "–";
  return String(value);
}
const words = (name) => name.replace(/_seconds$|_bytes$/, "").replace(/_/g, " ");

// The last minute of a line, from the bottom of its card to the top.
function spark(svg, history) {
  const values = history.filter((value) => typeof value === "number");
  const most = Math.max(...values, 0), least = Math.min(...values, 0), span = most - least || 1;
  let line = "", area = "", open = null;
  const close = (x) => { if (open !== null) area += `L${x} 20L${open} 20Z`; open = null; };
  history.forEach((value, index) => {
    const x = (60 - history.length + index) * 100 / 59;
    if (typeof value !== "number") return close(x - 100 / 59);
    const point = `${x.toFixed(2)} ${(19 - 18 * (value - least) / span).toFixed(2)}`;
    const start = open === null;
    if (start) open = x.toFixed(2);
    line += (start ? "M" : "L") + point;
    area += (start ? "M" : "L") + point;
  });
  close(100);
  svg.children[0].setAttribute("d", area);
  svg.children[1].setAttribute("d", line);
}

const cards = new Map();
function card(key) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const kind of ["area", "line"]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", kind);
    svg.append(path);
  }
  const made = { box: make("div", undefined, "card"), what: make("div", undefined, "what"), value: make("div", undefined, "value"), svg };
  made.box.append(made.what, made.value, svg);
  at("now").append(made.box);
  cards.set(key, made);
  return made;
}
function showNow(now) {
  for (const line of now) {
    const key = `${line.graph}.${line.name}`;
    const { box, what, value, svg } = cards.get(key) || card(key);
    what.textContent = line.graph_label === line.label ? line.label : `${line.graph_label}: ${line.label}`;
    box.title = typeof line.value === "number" ? `${key}, the last minute` : `${key}: no value yet, or nothing happened`;
    const [number, unit] = shown(line.value, line.unit);
    value.replaceChildren(number, make("small", unit));
    spark(svg, line.history || []);
  }
}

const isTable = (value) => Array.isArray(value) && value.length > 0 && value.every((one) => one && typeof one === "object" && !Array.isArray(one));
function box(table) {
  const around = make("div", undefined, "box");
  around.append(table);
  return around;
}
function rowsOf(facts) {
  const table = make("table");
  for (const [name, value] of facts) {
    const row = table.insertRow();
    row.append(make("th", words(name)), make("td", plain(name, value), typeof value === "number" ? "number" : ""));
  }
  return box(table);
}
// Lists of objects within objects have tables of their own below, called by the name of what they are in.
function tables(title, rows, into, depth) {
  const columns = inOrder(new Set(rows.flatMap((row) => Object.keys(row))));
  const nested = columns.filter((column) => rows.some((row) => isTable(row[column])));
  const flat = columns.filter((column) => !nested.includes(column));
  const heading = make("h2", title);
  heading.append(" ", make("small", String(rows.length)));
  into.append(heading);
  const table = make("table"), head = table.createTHead().insertRow();
  for (const column of flat) head.append(make("th", words(column)));
  const body = table.createTBody();
  for (const row of rows.slice(0, MOST_ROWS)) {
    const line = body.insertRow();
    for (const column of flat) line.append(make("td", plain(column, row[column]), typeof row[column] === "number" ? "number" : ""));
  }
  into.append(box(table));
  if (depth >= 3) return;
  rows.slice(0, 50).forEach((row, index) => {
    for (const column of nested) {
      const name = row.name || row.id || row.listen || String(index + 1);
      if (isTable(row[column])) tables(`${title} › ${name}: ${words(column)}`, row[column], into, depth + 1);
    }
  });
}
let last = "";
function showRest(document_) {
  const own = Object.entries(document_).filter(([name]) => !COMMON.has(name));
  const facts = [["limits", document_.limits], ["reload", document_.reload], ["metadata", document_.metadata]];
  const values = own.filter(([, value]) => !isTable(value) && (typeof value !== "object" || value === null || Array.isArray(value)));
  const text = JSON.stringify([own, facts]);
  if (text === last) return; // a selection stays
  last = text;
  const rest = at("rest"), few = make("div", undefined, "facts");
  rest.replaceChildren();
  const section = (title, entries) => {
    const part = make("section");
    part.append(make("h2", title), rowsOf(entries));
    few.append(part);
  };
  if (values.length) section("now", values);
  const objects = own.filter(([, value]) => value && typeof value === "object" && !Array.isArray(value));
  for (const [name, value] of [...objects, ...facts]) {
    if (value && Object.keys(value).length) section(words(name), Object.entries(value));
  }
  for (const [name, value] of own) if (isTable(value)) tables(words(name), value, rest, 1);
  rest.append(few);
}

function state(text, kind) {
  at("state").textContent = text;
  at("state").className = kind;
}
function show(document_) {
  document.title = `${document_.program} – ${document_.ready ? "ready" : document_.reason || "not ready"}`;
  at("program").textContent = document_.program;
  at("facts").textContent = `${document_.version} · up ${lasting(document_.uptime_seconds)} · pid ${document_.pid}${document_.uptime_seconds < 30 ? " · rates come after 30 s" : ""}`;
  if (document_.draining) state("draining", "warn");
  else if (!document_.ready) state(`not ready: ${document_.reason || "?"}`, "bad");
  else state("ready", "good");
  const notices = [...(document_.critical || []).map((text) => make("p", text, "bad")),
    ...(document_.warnings || []).map((text) => make("p", text, "warn"))];
  at("notices").replaceChildren(...notices);
  at("more").hidden = typeof document_.sessions !== "number";
  showNow(document_.now || []);
  showRest(document_);
}

let seen = null;
function tell() {
  const ago = seen === null ? "" : `, last seen ${lasting(Math.round((Date.now() - seen) / 1000))} ago`;
  document.body.classList.add("away");
  state(`away${ago}`, "bad");
  document.title = document.title.replace(/ – .*|$/, " – away");
}
async function look() {
  const query = at("sessions").checked ? "?sessions=1" : "";
  try {
    const answer = await fetch(`/status${query}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    seen = Date.now();
    document.body.classList.remove("away");
  } catch {
    tell();
  }
}
async function follow() {
  if (!document.hidden) await look();
  setTimeout(follow, EVERY);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
at("sessions").addEventListener("change", look);
follow();
