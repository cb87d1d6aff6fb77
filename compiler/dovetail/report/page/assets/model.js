// What the page knows: rows as report/page/rows.py writes them, with names for their fields.

const data = JSON.parse(document.getElementById("data").textContent);
const strings = data.strings;

const KIND = { partition: 0, input: 1, output: 2, entry: 3, exit: 4, block: 5, operator: 6 };

const device = (number) => {
  if (number < 0) return { number, id: "host", kind: "host", name: "the caller's memory", letter: "H" };
  const [id, kind, name, letter] = data.devices[number];
  return { number, id: strings[id], kind, name: strings[name], letter };
};
const devices = data.devices.map((_, number) => device(number));
const host = device(-1);

const tensor = (number) => {
  const [name, type, bytes, constant] = data.tensors[number];
  return { number, name: strings[name], type: strings[type], bytes, constant: constant === 1 };
};

const partitions = data.partitions.map((row, number) => ({
  number,
  id: strings[row[0]],
  device: devices[row[1]],
  inputs: row[2],
  outputs: row[3],
  start: row[4],
  end: row[5],
  latency: row[6],
  energy: row[7],
  compiled: row[8] === 1,
  operators: [],
  bodies: 0,
}));

const operators = data.operators.map((row, number) => ({
  number,
  name: strings[row[0]],
  type: strings[row[1]],
  partition: partitions[row[2]],
  unit: row[3],
  latency: row[4],
  energy: row[5],
  verdicts: row[6],
  reason: row[7],
  inputs: row[8],
  outputs: row[9],
  holder: row[10],
  origins: row[11],
}));

const units = new Map();
for (const operator of operators) {
  if (operator.holder >= 0) {
    if (operator.partition) operator.partition.bodies += 1;
    continue;
  }
  if (operator.partition) operator.partition.operators.push(operator.number);
  const unit = units.get(operator.unit);
  if (unit) unit.push(operator.number);
  else units.set(operator.unit, [operator.number]);
}

const reasons = data.reasons.map((row) => {
  const [code, rule, words, got, allowed, fix, source, confidence] = row.map((number) => strings[number]);
  return { code, rule, words, got, allowed, fix, source, confidence };
});

const reasonOf = (operator) => (operator.reason < 0 ? null : reasons[operator.reason]);

// The main operator of a unit carries its figures; the others share them.
const unitCost = (operator) => {
  if (operator.latency !== null) return operator;
  const unit = operator.holder >= 0 ? [operator.holder] : units.get(operator.unit) || [];
  const main = unit.map((number) => operators[number]).find((each) => each.latency !== null);
  return main || operator;
};

// What each device says of an operator: {device, state, latency, energy, source} in the target's order.
const verdictsOf = (operator) =>
  data.verdicts[operator.verdicts].map(([state, place], number) => {
    const cost = place >= 0 ? data.costs[place] : null;
    return {
      device: devices[number],
      state,
      latency: cost ? cost[0] : null,
      energy: cost ? cost[1] : null,
      assumed: cost ? cost[2] === 1 : false,
      source: cost ? strings[cost[3]] : "",
    };
  });

const sourceOf = (operator) => {
  const own = verdictsOf(unitCost(operator)).find((each) => each.device === operator.partition.device);
  return own && own.source ? own.source : data.source;
};

const transfers = data.transfers.map(([number, from, to, bytes, latency, energy, readers]) => ({
  tensor: tensor(number),
  from: device(from),
  to: device(to),
  bytes,
  latency,
  energy,
  readers,
}));

const makers = new Map(); // tensor -> operator
const consumers = new Map(); // tensor -> operators
for (const operator of operators) {
  for (const number of operator.outputs) if (number >= 0) makers.set(number, operator.number);
  for (const number of new Set(operator.inputs)) {
    if (number < 0) continue;
    if (consumers.has(number)) consumers.get(number).push(operator.number);
    else consumers.set(number, [operator.number]);
  }
}
const partitionMakers = new Map(); // tensor -> partition
for (const each of partitions) for (const number of each.outputs) partitionMakers.set(number, each.number);
const partitionReaders = new Map(); // tensor -> partitions
for (const each of partitions) {
  for (const number of each.inputs) {
    if (partitionReaders.has(number)) partitionReaders.get(number).push(each.number);
    else partitionReaders.set(number, [each.number]);
  }
}

// --- figures in words, with three digits -------------------------------------------------------------------------

const digits = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
};

const scaled = (value, units) => {
  if (value === null || value === undefined) return "?";
  let place = 0;
  while (place + 1 < units.length && Math.abs(value) >= 999.5) {
    value /= 1000;
    place += 1;
  }
  return `${digits(value)} ${units[place]}`;
};

const timeText = (us) => scaled(us, ["µs", "ms", "s"]);
const energyText = (uj) => scaled(uj, ["µJ", "mJ", "J"]);
const bytesText = (bytes) => scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);
const counted = (number, noun) => `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
const typeOf = (number) => (number >= 0 ? strings[data.tensors[number][1]] : "");
const shapeOf = (number) => typeOf(number).split(" ").slice(1).join(" ");

const typesOf = (numbers) => {
  const counts = new Map();
  for (const number of numbers) counts.set(operators[number].type, (counts.get(operators[number].type) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
};

// --- making elements: text is only ever set as text --------------------------------------------------------------

const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
};

const badge = (each) => element("span", { class: `badge ${each.kind}`, title: each.name }, each.letter);

const deviceLabel = (each) => element("span", { class: "device" }, badge(each), each.id);

const mark = (source) => {
  const known = data.sources.find(([name]) => name === source);
  if (!known) return "";
  return element("abbr", { class: `mark mark-${known[1]}`, title: `${known[0]}: ${known[2]}` }, known[1]);
};

const figure = (text, source) => (text === "?" ? text : element("span", { class: "figure" }, text, mark(source)));

const codeLink = (reason) =>
  reason.code
    ? element("a", { class: "code", href: `#${reason.code}`, title: reason.rule }, reason.code)
    : element("span", { class: "code" }, reason.rule);

const announce = (text) => {
  document.getElementById("said").textContent = text;
};
