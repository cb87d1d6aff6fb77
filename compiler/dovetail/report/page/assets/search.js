// Find operators, partitions and types by name: typing shows what fits, Enter goes from one to the next.

const MOST_FOUND = 60;

const search = {
  input: document.getElementById("search"),
  list: document.getElementById("found"),
  count: document.getElementById("count"),
  hits: [],
  place: -1,
  text: "",
};

const index = [
  ...partitions.map((each) => ({ text: each.id.toLowerCase(), partition: each.number })),
  ...operators.map((each) => ({ text: each.name.toLowerCase(), type: each.type.toLowerCase(), operator: each.number })),
];

// Names that begin with what was typed come first, then names that hold it, then types.
const lookUp = (text) => {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const ranked = [[], [], []];
  for (const each of index) {
    const place = each.text.indexOf(wanted);
    if (place === 0) ranked[0].push(each);
    else if (place > 0) ranked[1].push(each);
    else if (each.type && each.type.includes(wanted)) ranked[2].push(each);
  }
  return ranked.flat();
};

const typed = () => {
  search.text = search.input.value;
  search.hits = lookUp(search.text);
  search.place = -1;
  showFound();
  markFound();
};

const markFound = () => {
  const { scene } = viewer;
  const wanted = new Set(search.hits.filter((hit) => hit.operator !== undefined).map((hit) => hit.operator));
  viewer.found = new Set();
  if (scene && search.text && wanted.size) {
    for (let i = 0; i < scene.count; i += 1) {
      const isHit = scene.kind[i] === KIND.operator && wanted.has(scene.ref[i]);
      if (isHit) viewer.found.add(i);
    }
  }
  redraw();
};

const showFound = () => {
  const { hits, place, list, input } = search;
  const from = Math.max(0, Math.min(place - 5, hits.length - MOST_FOUND));
  const shown = hits.slice(from, from + MOST_FOUND);
  list.replaceChildren(...shown.map((hit, number) => foundItem(hit, from + number)));
  if (search.text.trim() && !hits.length) list.append(element("li", { class: "none" }, "nothing has this name"));
  list.hidden = !search.text.trim();
  input.setAttribute("aria-expanded", String(!list.hidden));
  search.count.textContent = search.text.trim() ? `${place >= 0 ? `${place + 1} / ` : ""}${hits.length}` : "";
  if (place >= 0) {
    input.setAttribute("aria-activedescendant", `found-${place}`);
    document.getElementById(`found-${place}`)?.scrollIntoView({ block: "nearest" });
  } else input.removeAttribute("aria-activedescendant");
};

const foundItem = (hit, number) => {
  const each = hit.partition !== undefined ? partitions[hit.partition] : operators[hit.operator];
  const where = hit.partition !== undefined ? each.device : each.partition ? each.partition.device : host;
  const item = element(
    "li",
    { role: "option", id: `found-${number}`, "aria-selected": String(number === search.place) },
    badge(where),
    element("span", { class: "what" }, hit.partition !== undefined ? each.id : each.name),
    element("span", { class: "under" }, hit.partition !== undefined ? "partition" : each.type),
  );
  item.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    goToHit(number);
    closeFound();
  });
  return item;
};

const goToHit = (place) => {
  search.place = place;
  const hit = search.hits[place];
  if (hit.partition !== undefined) selectPartition(hit.partition);
  else goToOperator(hit.operator);
  markFound();
  showFound();
};

const closeFound = () => {
  search.list.hidden = true;
  search.input.setAttribute("aria-expanded", "false");
};

const searchKey = (event) => {
  const { hits, place } = search;
  const step = { Enter: event.shiftKey ? -1 : 1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && hits.length) {
    event.preventDefault();
    goToHit((place + step + (place < 0 && step < 0 ? 1 : 0) + hits.length) % hits.length);
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (search.list.hidden) search.input.value = "";
    typed();
    closeFound();
    if (!search.input.value) viewer.canvas.focus();
  }
};

const startSearch = () => {
  search.input.addEventListener("input", typed);
  search.input.addEventListener("keydown", searchKey);
  search.input.addEventListener("focus", () => search.text.trim() && showFound());
  search.input.addEventListener("blur", closeFound);
  viewer.listeners.push(markFoundAgain);
};

let marked = null;
const markFoundAgain = () => {
  if (marked === viewer.scene) return;
  marked = viewer.scene;
  markFound();
};
