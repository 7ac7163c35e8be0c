"use strict";
// Text from files reaches the page through textContent only, and names of pictures are hashes.
const data = JSON.parse(document.getElementById("data").textContent);
const files = data.files;
const perPage = 60;
const served = location.protocol === "http:";
const find = (id) => document.getElementById(id);
const marks = new Map();
let chosen = files;
let page = 0;
let current = 0;
let unsaved = false;
let soon = 0;
let saving = Promise.resolve();

// What does not print, and what turns the direction of writing, as escapes.
function shown(text) {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu,
    (one) => "\\u" + one.codePointAt(0).toString(16).padStart(4, "0"));
}

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = shown(String(text));
  if (kind) made.className = kind;
  return made;
}

function folderOf(name) {
  const at = name.lastIndexOf("/");
  return at < 0 ? "" : name.slice(0, at);
}

const words = { grey: "left grey", one_color: "one color over everything",
  blotches: "blotches that ignore edges", clipped: "color clipped", skin: "odd skin" };
const wordOf = (name) => words[name] || name;

function fill(select, options) {
  select.replaceChildren();
  for (const [value, text] of options) {
    const option = element("option", text);
    option.value = value;
    select.append(option);
  }
}

function counted(of) {
  const counts = new Map();
  for (const file of files) for (const key of of(file)) counts.set(key, (counts.get(key) || 0) + 1);
  return [...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

function setUpFilters() {
  // Values are numbers, so that no name can be taken for "all".
  const offer = (id, all, of, text) => {
    const found = counted(of);
    fill(find(id), [["", all], ...found.map(([key, n], at) => [at, `${text(key)} (${n})`])]);
    return found.map(([key]) => key);
  };
  const keys = {
    state: offer("by-state", "all", (f) => [f.state + (f.reason ? ": " + f.reason : "")], (k) => k),
    folder: offer("by-folder", "all", (f) => [folderOf(f.name)], (k) => k || "(top)"),
    weak: offer("by-weak", "anything or nothing", (f) => f.weak || [], wordOf),
  };
  const any = element("option", "anything");
  any.value = "any";
  find("by-weak").append(any);
  fill(find("by-warning"), [["", "with or without"], ["yes", "with"], ["no", "without"]]);
  fill(find("by-mark"), [["", "any"], ["none", "none"], ["accept", "accept"], ["redo", "redo"],
    ["note", "with a note"]]);
  return keys;
}

const keys = setUpFilters();

function fits(file) {
  const state = find("by-state").value, folder = find("by-folder").value;
  const weak = find("by-weak").value, warning = find("by-warning").value;
  const mark = find("by-mark").value, part = find("by-name").value.toLowerCase();
  const own = marks.get(file.name);
  if (state && file.state + (file.reason ? ": " + file.reason : "") !== keys.state[state]) return false;
  if (folder && folderOf(file.name) !== keys.folder[folder]) return false;
  if (weak === "any" ? !(file.weak || []).length : weak && !(file.weak || []).includes(keys.weak[weak])) return false;
  if (warning && (warning === "yes") !== Boolean((file.warnings || []).length)) return false;
  if (mark === "note" ? !(own && own.note) : mark && ((own && own.mark) || "none") !== mark) return false;
  return !part || file.name.toLowerCase().includes(part);
}

function card(file, at) {
  const button = element("button");
  button.type = "button";
  if (file.after || file.before) {
    const picture = element("img");
    picture.loading = "lazy";
    picture.alt = file.after ? "restored" : "source";
    picture.src = file.after || file.before;
    button.append(picture);
  } else {
    button.append(element("span", "no picture", "none"));
  }
  button.append(element("span", file.name, "title"));
  const state = file.state === "done" ? "done" : `${file.state}: ${file.reason || ""}`;
  button.append(element("span", state, "line " + file.state));
  if (file.state !== "done" && file.message) button.append(element("span", file.message, "line"));
  if (file.weak) button.append(element("span", file.weak.map(wordOf).join(", "), "line weak"));
  if (file.warnings) button.append(element("span", `${file.warnings.length} warning(s)`, "line"));
  const own = marks.get(file.name);
  if (own && own.mark) button.append(element("span", "marked: " + own.mark, "line " + own.mark));
  button.addEventListener("click", () => open(at));
  const place = element("li");
  place.append(button);
  return place;
}

function draw() {
  const pages = Math.max(1, Math.ceil(chosen.length / perPage));
  page = Math.min(Math.max(page, 0), pages - 1);
  const first = page * perPage;
  find("grid").replaceChildren(
    ...chosen.slice(first, first + perPage).map((file, at) => card(file, first + at)));
  find("where").textContent =
    `page ${page + 1} of ${pages}; ${chosen.length} of ${files.length} files`;
  find("back").disabled = page === 0;
  find("forth").disabled = page === pages - 1;
  tellMarks();
}

function choose() {
  chosen = files.filter(fits);
  page = 0;
  draw();
}

function tellMarks() {
  const counts = { accept: 0, redo: 0 };
  for (const one of marks.values()) if (one.mark) counts[one.mark] += 1;
  find("marked").textContent =
    `${counts.accept} accepted, ${counts.redo} to redo${unsaved ? ", not saved" : ""}`;
}

function facts(file) {
  const run = data.runs[file.run] || {};
  const recipe = { ...run.recipe, ...file.own };
  const list = [["source, sha256", file.source_sha256], ["result", file.target],
    ["result, sha256", file.target_sha256],
    ["size", file.width && `${file.width} x ${file.height} pixels`],
    ...(file.warnings || []).map((one) => ["warning", one]),
    ...Object.entries(file.measures || {}).map(([key, n]) => [wordOf(key) + ", measure", n === null ? "no face found" : n]),
    ["model", run.model && `${run.model}, ${run.model_licence}`],
    ["model, sha256", run.model_sha256], ["computed by", file.provider],
    ["run", run.run && `${run.run}, ${run.started}, archive-colorizer ${run.version}`],
    ...(file.overrides || []).map((one) => ["settings of its own by", one]),
    ["settings", run.recipe && Object.entries(recipe).map(([k, v]) => `${k} = ${JSON.stringify(v)}`).join(", ")]];
  return list.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .flatMap(([key, value]) => [element("dt", key), element("dd", value)]);
}

function picture(image, source, text) {
  image.hidden = !source;
  image.alt = source ? text : "";
  if (source) image.src = source; else image.removeAttribute("src");
}

function slide() {
  const slider = find("slider"), image = find("before"), box = find("pictures");
  let left = 0, width = image.clientWidth;
  if (image.naturalWidth && image.clientHeight) {
    // The part of the frame that the picture fills.
    const fit = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
    width = image.naturalWidth * fit;
    left = (image.clientWidth - width) / 2;
  }
  const at = left + width * slider.value / 100;
  box.style.setProperty("--share", image.clientWidth ? `${100 * at / image.clientWidth}%` : "50%");
  slider.setAttribute("aria-valuetext", `${slider.value} percent before`);
}

function open(at) {
  current = at;
  const file = chosen[at];
  find("name").textContent = shown(file.name);
  picture(find("before"), file.before, "before, the source: " + shown(file.name));
  picture(find("after"), file.after, "after, restored: " + shown(file.name));
  find("compare").hidden = !(file.before || file.after);
  find("compare").classList.toggle("both", Boolean(file.before && file.after));
  const said = [file.state + (file.reason ? ": " + file.reason : ""), file.message,
    file.weak && "weak: " + file.weak.map(wordOf).join(", "), file.why].filter(Boolean);
  find("said").textContent = shown(said.join(" · "));
  find("facts").replaceChildren(...facts(file));
  const own = marks.get(file.name) || { mark: "", note: "" };
  for (const one of document.getElementsByName("mark")) one.checked = one.value === own.mark;
  find("note").value = own.note;
  find("before-one").disabled = at === 0;
  find("next-one").disabled = at === chosen.length - 1;
  if (!find("one").open) find("one").showModal();
  slide();
}

function step(by) {
  if (chosen[current + by]) open(current + by);
}

function mark() {
  const set = [...document.getElementsByName("mark")].find((one) => one.checked);
  const own = { mark: set ? set.value : "", note: find("note").value };
  const name = chosen[current].name;
  if (own.mark || own.note) marks.set(name, own); else marks.delete(name);
  unsaved = true;
  tellMarks();
  if (served) {
    // A breath, since a note is marked letter by letter.
    clearTimeout(soon);
    soon = setTimeout(save, 300);
  }
}

function written() {
  const list = [...marks].map(([name, own]) => ({ name, ...own }));
  return JSON.stringify({ kind: "archive-colorizer marks", version: 1, marks: list }, null, 1) + "\n";
}

async function save() {
  if (served) {
    const body = written();
    // One after the other, so that the last one stays.
    saving = saving.then(() => fetch("marked.json", { method: "PUT", body })).catch(() => null);
    const answer = await saving;
    if (!answer || !answer.ok) { find("marked").textContent = "the marks could not be saved"; return; }
    if (body !== written()) return;
  } else {
    const link = element("a");
    const address = URL.createObjectURL(new Blob([written()], { type: "application/json" }));
    link.href = address;
    link.download = "marked.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }
  unsaved = false;
  tellMarks();
}

function take(text) {
  const known = JSON.parse(text);
  if (known.kind !== "archive-colorizer marks" || !Array.isArray(known.marks)) throw new Error("no marks");
  for (const one of known.marks) {
    if (typeof one.name !== "string" || !["", "accept", "redo"].includes(one.mark)) continue;
    marks.set(one.name, { mark: one.mark, note: typeof one.note === "string" ? one.note : "" });
  }
  choose();
}

async function load() {
  try {
    take(await find("load").files[0].text());
  } catch (error) {
    find("marked").textContent = "this file holds no marks";
  }
}

document.querySelector("h1").textContent = "Report: " + shown(data.title);
find("overview").textContent = counted((f) => [f.state]).map(([k, n]) => `${n} ${k}`).join(", ");
find("filters").addEventListener("input", choose);
find("filters").addEventListener("submit", (event) => event.preventDefault());
find("back").addEventListener("click", () => { page -= 1; draw(); });
find("forth").addEventListener("click", () => { page += 1; draw(); });
find("save").addEventListener("click", save);
find("load").addEventListener("change", load);
find("slider").addEventListener("input", slide);
find("before").addEventListener("load", slide);
addEventListener("resize", slide);
find("before-one").addEventListener("click", () => step(-1));
find("next-one").addEventListener("click", () => step(1));
find("close").addEventListener("click", () => find("one").close());
find("one").addEventListener("close", () => { draw(); const back = find("grid").children[current % perPage];
  if (back) back.firstChild.focus(); });
find("marks").addEventListener("input", mark);
addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
if (served) {
  fetch("marked.json").then((answer) => (answer.ok ? answer.text() : null))
    .then((text) => { if (text) take(text); }).catch(() => {});
}
choose();
