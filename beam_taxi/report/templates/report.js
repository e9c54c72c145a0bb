"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("overview");
  const store = byId("cards");
  const rows = [...table.tBodies[0].rows].map((element, index) => {
    const link = element.querySelector("a");
    return {
      element,
      link,
      index,
      card: store.children[index],
      detail: null,
      name: link.textContent.toLowerCase(),
      type: element.cells[1].textContent,
      sizes: element.dataset.s.split(",").map((text) => (text === "" ? NaN : Number(text))),
    };
  });
  const byHash = new Map(rows.map((row) => [row.link.hash, row]));
  const search = byId("search");
  const type = byId("type");
  const flagged = byId("flagged");
  const all = byId("all");
  const most = 100;

  // The cards of a wide table are packed; each is made when it is opened for the first time.
  let packed = null;
  async function unpack() {
    const bytes = Uint8Array.from(atob(byId("packed").textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    packed = JSON.parse(await new Response(stream).text());
  }
  const unpacked = byId("packed") ? unpack() : Promise.resolve();

  function make(index) {
    const template = document.createElement("template");
    template.innerHTML = packed[index];
    return template.content.querySelector("article");
  }

  // An open card is in a row of its own below that of its column; the others wait in the store.
  function open(row, isOpen) {
    if (isOpen === (row.detail !== null)) return;
    if (!row.card && !packed) {
      unpacked.then(() => { open(row, isOpen); label(); });
      return;
    }
    row.link.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) {
      row.card ??= make(row.index);
      row.detail = document.createElement("tr");
      row.detail.className = "detail";
      const cell = row.detail.insertCell();
      cell.colSpan = table.tHead.rows[0].cells.length;
      cell.append(row.card);
      row.detail.hidden = row.element.hidden;
      row.element.after(row.detail);
    } else {
      store.append(row.card);
      row.detail.remove();
      row.detail = null;
    }
  }

  function label() {
    const shown = rows.filter((row) => !row.element.hidden);
    all.textContent = shown.some((row) => row.detail) ? "Close all" : shown.length > most ? `Open ${most}` : "Open all";
    return shown;
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const fits = words.every((word) => row.name.includes(word))
        && (!type.value || row.type === type.value)
        && (!flagged.checked || row.sizes[7] > 0);
      row.element.hidden = !fits;
      if (row.detail) row.detail.hidden = !fits;
    }
    const shown = label().length;
    byId("shown").value = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
    byId("nothing").hidden = shown > 0;
  }

  function reset() {
    search.value = "";
    type.value = "";
    flagged.checked = false;
    filter();
  }

  const names = new Intl.Collator("en", { numeric: true });
  function compare(key, down) {
    if (key === "index") return (a, b) => (down ? names.compare(b.name, a.name) : names.compare(a.name, b.name));
    if (key === "type") return (a, b) => (down ? -1 : 1) * names.compare(a.type, b.type) || a.index - b.index;
    // Columns without the figure are last, whatever the direction.
    return (a, b) => {
      const [x, y] = [a.sizes[key], b.sizes[key]];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a.index - b.index;
      return (down ? y - x : x - y) || a.index - b.index;
    };
  }

  function place(ordered) {
    table.tBodies[0].append(...ordered.flatMap((row) => (row.detail ? [row.element, row.detail] : [row.element])));
  }

  // The first click sorts numbers from the greatest, names from the first; the second reverses; the third restores.
  function sort(header) {
    const { key } = header.dataset;
    const orders = key === "index" || key === "type" ? ["ascending", "descending"] : ["descending", "ascending"];
    const next = orders[orders.indexOf(header.getAttribute("aria-sort")) + 1];
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    if (next) header.setAttribute("aria-sort", next);
    place(next ? [...rows].sort(compare(key, next === "descending")) : rows);
  }

  for (const header of table.tHead.rows[0].cells) {
    if (!header.dataset.key) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(header));
  }

  // A link to a card that the filters hide must still lead there.
  function reveal() {
    const row = byHash.get(location.hash);
    if (!row) return;
    if (row.element.hidden) reset();
    open(row, true);
    label();
    row.element.scrollIntoView();
    row.card.focus({ preventScroll: true });
  }

  table.tBodies[0].addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    const row = rows.find((one) => one.element === line);
    if (!row || getSelection().toString()) return;
    event.preventDefault();
    open(row, row.detail === null);
    label();
  });
  addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#f']");
    if (link && !event.defaultPrevented && link.hash === location.hash) reveal();
  });
  all.addEventListener("click", () => {
    const shown = label();
    const isOpen = shown.some((row) => row.detail);
    for (const row of isOpen ? shown : shown.slice(0, most)) open(row, !isOpen);
    label();
  });

  // The bar below the pointer is a row of the table of bars.
  function read(event) {
    const chart = event.target.closest?.(".chart");
    const lines = chart?.parentElement.querySelector(".bars tbody")?.rows;
    if (!lines) return;
    const box = chart.getBoundingClientRect();
    const [left, end] = [8, 6];
    const [below, above] = chart.dataset.ends.split(" ").map(Number);
    const x = 100 * (event.clientX - box.left) / box.width;
    const [from, to] = [left + below * end, 100 - above * end];
    const inner = lines.length - below - above;
    const at = x < left ? -1 : x < from ? 0 : x >= to ? lines.length - 1 : below + Math.floor(inner * (x - from) / (to - from));
    let tip = chart.nextElementSibling;
    if (!tip?.matches(".tip")) {
      tip = document.createElement("p");
      tip.className = "tip";
      tip.setAttribute("aria-hidden", "true");
      chart.after(tip);
    }
    const heads = [...lines[0].parentElement.previousElementSibling.rows[0].cells].map((cell) => cell.textContent);
    const cells = at < 0 || at >= lines.length ? [] : [...lines[at].cells].map((cell) => cell.textContent);
    tip.textContent = cells.map((text, i) => (i ? `${heads[i]} ${text}` : text)).join(" · ");
  }

  const slice = byId("slice");
  if (slice) {
    slice.closest(".toolbar").hidden = false;
    slice.addEventListener("change", () => {
      for (const one of document.querySelectorAll("details.slice")) {
        one.hidden = slice.value !== "" && one.id !== slice.value;
        one.open = one.id === slice.value;
      }
    });
  }

  search.addEventListener("input", filter);
  type.addEventListener("change", filter);
  flagged.addEventListener("change", filter);
  byId("reset").addEventListener("click", () => { reset(); search.focus(); });
  addEventListener("pointermove", read, { passive: true });
  addEventListener("hashchange", reveal);
  store.hidden = true;
  for (const row of rows) row.link.setAttribute("aria-expanded", "false");
  table.classList.add("live");
  document.querySelector(".toolbar").hidden = false;
  filter();
  byId("unpacked")?.remove();
  unpacked.then(reveal);
})();
