// Tables that sort by a click on a column's head, filter while one types, and show the first 200 rows at once.

const PAGE = 200;

// A column: title, value to sort and search by, cell to show, whether it is a number, and a class of its cells.
const column = (title, value, cell = null, numeric = false, look = "") =>
  ({ title, value, cell: cell || value, numeric, look: numeric ? "number" : look });

const amountColumn = (title, value, text, source) =>
  column(title, value, (each) => (value(each) === null ? "" : figure(text(value(each)), source(each))), true);

class Table {
  constructor(place, rows, columns, sorted = -1) {
    this.rows = rows;
    this.columns = columns;
    this.sorted = sorted;
    this.down = sorted >= 0;
    this.most = PAGE;
    this.filter = "";
    this.body = element("tbody");
    this.heads = columns.map((each, number) =>
      element("th", { scope: "col", class: each.look },
        element("button", { type: "button", onclick: () => this.sort(number) }, each.title)),
    );
    this.more = element("button", { type: "button", class: "more", onclick: () => this.showMore() });
    this.said = element("span", { class: "under", role: "status" });
    const input = element("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${place.dataset.title}` });
    input.addEventListener("input", () => {
      this.filter = input.value.trim().toLowerCase();
      this.most = PAGE;
      this.show();
    });
    const bar = element("div", { class: "filter" }, this.said, rows.length > 5 ? input : "");
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...this.heads)), this.body);
    const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": place.dataset.title }, table);
    place.append(bar, scroll, this.more);
    this.show();
  }

  sort(number) {
    if (this.sorted === number) this.down = !this.down;
    else {
      this.sorted = number;
      this.down = this.columns[number].numeric;
    }
    this.show();
  }

  showMore() {
    this.most += PAGE;
    this.show();
  }

  wanted() {
    const fits = (row) => this.columns.some((each) => String(each.value(row) ?? "").toLowerCase().includes(this.filter));
    const rows = this.filter ? this.rows.filter(fits) : [...this.rows];
    if (this.sorted < 0) return rows;
    const { value, numeric } = this.columns[this.sorted];
    const way = this.down ? -1 : 1;
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return way * (numeric ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
    };
    return rows.sort(compare);
  }

  show() {
    const rows = this.wanted();
    const shown = rows.slice(0, this.most);
    this.body.replaceChildren(...shown.map((each) => this.line(each)));
    this.heads.forEach((head, number) => {
      if (number === this.sorted) head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const all = this.rows.length;
    this.said.textContent = this.filter ? `${rows.length.toLocaleString("en-US")} of ${counted(all, "row")}` : counted(all, "row");
    const left = rows.length - shown.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${Math.min(left, PAGE)} more of ${left.toLocaleString("en-US")}`;
  }

  line(each) {
    const cells = this.columns.map(({ cell, look }) => {
      const made = element("td", { class: look });
      made.append(cell(each) ?? "");
      return made;
    });
    return element("tr", {}, ...cells);
  }
}

const sumBytes = (numbers) => {
  let total = 0;
  for (const number of numbers) {
    if (data.tensors[number][2] === null) return null;
    total += data.tensors[number][2];
  }
  return total;
};

const toGraph = (text, action) =>
  link(text, () => {
    action();
    viewer.canvas.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  });

const modelled = () => "modelled";
const planSource = () => data.source;

const partitionColumns = () => [
  column("Partition", (each) => each.id, (each) => toGraph(each.id, () => selectPartition(each.number))),
  column("Device", (each) => each.device.id, (each) => deviceLabel(each.device)),
  column("Operators", (each) => each.operators.length, null, true),
  column("Inputs", (each) => each.inputs.length, null, true),
  column("Bytes in", (each) => sumBytes(each.inputs), (each) => bytesText(sumBytes(each.inputs)), true),
  column("Outputs", (each) => each.outputs.length, null, true),
  column("Bytes out", (each) => sumBytes(each.outputs), (each) => bytesText(sumBytes(each.outputs)), true),
  amountColumn("Start", (each) => each.start, timeText, planSource),
  amountColumn("Time", (each) => each.latency, timeText, planSource),
  amountColumn("Energy", (each) => each.energy, energyText, modelled),
];

const transferColumns = () => [
  column("Tensor", (each) => each.tensor.name, (each) => toGraph(each.tensor.name, () => goToTensor(each.tensor.number))),
  column("Type", (each) => each.tensor.type, null, false, "line"),
  column("From", (each) => each.from.id, (each) => deviceLabel(each.from)),
  column("To", (each) => each.to.id, (each) => deviceLabel(each.to)),
  column("Read by", (each) => each.readers.map((number) => partitions[number].id).join(", ") || "the caller"),
  column("Bytes", (each) => each.bytes, (each) => bytesText(each.bytes), true),
  amountColumn("Time", (each) => each.latency, timeText, modelled),
  amountColumn("Energy", (each) => each.energy, energyText, modelled),
];

// Of all partitions with their launches, transfers apart.
const devicesTime = partitions.reduce((sum, each) => sum + (each.latency || 0), 0);

const shareOfTime = (each) => {
  const { latency } = unitCost(each);
  return devicesTime && latency !== null ? (100 * latency) / devicesTime : null;
};

// What was found by solving again: how much less the whole would take if the device took all operators of this kind.
const gainOf = (each) => data.gains.find(([type, rule]) => type === each.type && rule === reasonOf(each).rule) || null;

const gainColumn = () => [
  column("Gain", (each) => (gainOf(each) ? gainOf(each)[2] : null), (each) =>
    gainOf(each) ? element("span", { class: "figure", title: `if all ${gainOf(each)[4]} like it were taken` }, gainOf(each)[3], mark("modelled")) : "", true),
];

const awayColumns = () => [
  column("Operator", (each) => each.name, (each) => toGraph(each.name, () => goToOperator(each.number))),
  column("Type", (each) => each.type, null, false, "line"),
  column("Device", (each) => each.partition.device.id, (each) => deviceLabel(each.partition.device)),
  amountColumn("Time", (each) => unitCost(each).latency, timeText, sourceOf),
  column("Share of time", shareOfTime, (each) => (shareOfTime(each) === null ? "" : `${digits(shareOfTime(each))} %`), true),
  ...(data.gains.length ? gainColumn() : []),
  column("Code and rule", (each) => `${reasonOf(each).code} ${reasonOf(each).rule}`, codeCell, false, "line"),
  column("Got", (each) => reasonOf(each).got, null, false, "words"),
  column("Allowed", (each) => reasonOf(each).allowed, null, false, "words"),
  column("Why and what to do", (each) => `${reasonOf(each).words} ${reasonOf(each).fix}`, whyCell, false, "because"),
];

const codeCell = (each) => {
  const reason = reasonOf(each);
  return element("span", {}, codeLink(reason), reason.code ? ` ${reason.rule}` : "");
};

const whyCell = (each) => {
  const reason = reasonOf(each);
  return element("div", {}, element("p", {}, reason.words),
    reason.fix ? element("p", {}, element("b", {}, "Fix: "), reason.fix) : "");
};

const startTables = () => {
  const place = (id) => document.querySelector(`#${id} .rows`);
  new Table(place("partitions"), partitions, partitionColumns());
  if (place("crossings")) new Table(place("crossings"), transfers, transferColumns(), 6);
  if (!place("away")) return;
  const away = operators.filter((each) => each.holder < 0 && each.reason >= 0);
  new Table(place("away"), away, awayColumns(), 3);
};
