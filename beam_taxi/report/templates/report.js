"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");
  const cards = [...list.children].map((element, index) => ({
    element,
    index,
    name: element.dataset.name.toLowerCase(),
    type: element.dataset.type,
    absent: Number(element.dataset.absent),
    shift: Number(element.dataset.shift),
    problem: "problem" in element.dataset,
  }));
  const search = byId("search");
  const type = byId("type");
  const sort = byId("sort");
  const problems = byId("problems");

  const compare = {
    index: (a, b) => a.index - b.index,
    name: (a, b) => a.name.localeCompare(b.name, "en") || a.index - b.index,
    absent: (a, b) => b.absent - a.absent || a.index - b.index,
    shift: (a, b) => b.shift - a.shift || a.index - b.index,
  };

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const card of cards) {
      const fits = words.every((word) => card.name.includes(word))
        && (!type.value || card.type === type.value)
        && (!problems.checked || card.problem);
      card.element.hidden = !fits;
      shown += fits;
    }
    byId("shown").value = `${shown.toLocaleString("en")} of ${cards.length.toLocaleString("en")}`;
    byId("nothing").hidden = shown > 0;
  }

  function reset() {
    search.value = "";
    type.value = "";
    problems.checked = false;
    filter();
  }

  // A link to a card that the filters hide must still lead there.
  function reveal() {
    const target = /^#f\d+$/.test(location.hash) && byId(location.hash.slice(1));
    if (!target) return;
    if (target.hidden) reset();
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }

  search.addEventListener("input", filter);
  type.addEventListener("change", filter);
  problems.addEventListener("change", filter);
  sort.addEventListener("change", () => {
    list.append(...[...cards].sort(compare[sort.value]).map((card) => card.element));
  });
  byId("reset").addEventListener("click", () => { reset(); search.focus(); });
  addEventListener("hashchange", reveal);
  document.querySelector(".toolbar").hidden = false;
  filter();
  reveal();
})();
