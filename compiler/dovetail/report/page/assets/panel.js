// What is known of the box that is selected, and a short form of it beside the pointer.

const panel = document.getElementById("panel");
const tip = document.getElementById("tip");

const row = (label, ...value) => [element("dt", {}, label), element("dd", {}, ...value)];

const list = (rows) => element("dl", {}, ...rows.flat());

const link = (text, action, title) =>
  element("button", { class: "link", type: "button", title: title || text, onclick: action }, text);

const showPanel = () => {
  const { scene, selected, level, partition } = viewer;
  panel.replaceChildren();
  if (selected >= 0) {
    const [kind, ref] = [scene.kind[selected], scene.ref[selected]];
    if (kind === KIND.operator) panel.append(...operatorPanel(operators[ref]));
    else if (kind === KIND.partition) panel.append(...partitionPanel(partitions[ref]));
    else if (kind === KIND.block) panel.append(...blockPanel(scene.blocks[ref]));
    else panel.append(...tensorPanel(tensor(ref)));
  } else if (level === "top") {
    panel.append(...welcomePanel());
  } else {
    panel.append(...partitionPanel(partitions[partition]));
  }
  panel.scrollTop = 0;
};

const title = (name, ...words) => [
  element("h3", { class: "name" }, name),
  element("p", { class: "under" }, ...words),
];

const welcomePanel = () => [
  ...title("The whole model", `${counted(partitions.length, "partition")}, ${counted(transfers.length, "transfer")}`),
  element(
    "ul",
    { class: "legend" },
    ...devices.filter((each) => partitions.some((part) => part.device === each)).map((each) =>
      element("li", {}, badge(each), element("span", {}, element("b", {}, each.id), ` ${each.name}`)),
    ),
    element("li", {}, element("span", { class: "stroke" }), "a tensor that crosses between devices"),
    hasTimes() ? element("li", {}, mark(data.source), element("span", {}, `times are ${data.source}${data.source === "modelled" ? ", energies too" : ", energies modelled"}`)) : "",
  ),
  element("p", {}, "Click a partition to see what is inside. Keys, once the graph is chosen:"),
  element(
    "dl",
    { class: "keys" },
    ...row("J K", "next and previous box"),
    ...row("Enter", "open it"),
    ...row("Esc", "one level back"),
    ...row("← ↑ → ↓", "move"),
    ...row("+ − 0", "zoom, fit"),
    ...row("/", "search"),
  ),
];

const partitionPanel = (each) => {
  const can = viewer.level === "top" && hasLevel("whole", each.number);
  return [
    ...title(each.id, deviceLabel(each.device), ` ${each.device.name}`),
    hasLevel("whole", each.number) ? "" : element("p", {}, "This page was made without the model's graph: what is inside is not drawn."),
    can ? element("button", { class: "primary", type: "button", onclick: () => openPartition(each.number) }, "Open") : "",
    list([
      row("operators", each.operators.length.toLocaleString("en-US"), each.bodies ? `, ${each.bodies} in bodies` : ""),
      row("time", figure(timeText(each.latency), data.source)),
      row("energy", figure(energyText(each.energy), "modelled")),
      each.start === null ? [] : row("runs", `from ${timeText(each.start)} to ${timeText(each.end)}`),
      each.compiled ? row("compiled", "by the device's own compiler") : [],
    ]),
    ...tensorList("reads", each.inputs, "from"),
    ...tensorList("makes", each.outputs, "to"),
    ...typeList(each.operators),
  ].filter((part) => part !== "");
};

const blockPanel = ([name, members, copies]) => {
  const cost = members.reduce((sum, number) => sum + (operators[number].latency || 0), 0);
  return [
    ...title(name, copies > 1 ? `${copies} blocks alike, ${counted(members.length, "operator")}` : counted(members.length, "operator")),
    element("button", { class: "primary", type: "button", onclick: () => enter(viewer.selected) }, "Show its operators"),
    list([row("time", figure(timeText(cost), data.source))]),
    ...typeList(members),
    element("h4", {}, "Operators"),
    element("ul", { class: "names" }, ...members.slice(0, 40).map((number) => element("li", {}, operatorLink(number)))),
  ];
};

const operatorLink = (number) => link(operators[number].name, () => goToOperator(number));

const operatorPanel = (operator) => {
  const reason = reasonOf(operator);
  const unit = (units.get(operator.unit) || []).filter((number) => number !== operator.number);
  const inside = operators.filter((each) => each.holder === operator.number);
  return [
    ...title(operator.name, deviceLabel(operator.partition.device), ` ${operator.type} in `,
      link(operator.partition.id, () => selectPartition(operator.partition.number))),
    ...(reason ? reasonBox(reason) : []),
    element("h4", {}, "What it costs, by device"),
    costBars(operator),
    ...tensorList("reads", operator.inputs, "from"),
    ...tensorList("makes", operator.outputs, "to"),
    ...(unit.length ? [element("h4", {}, "Stays together with"), nameList(unit)] : []),
    ...(inside.length ? [element("h4", {}, "In its bodies"), bodyList(inside)] : []),
    ...(operator.origins.length
      ? [element("h4", {}, "Made from"), element("ul", { class: "names" },
        ...operator.origins.slice(0, 20).map((number) => element("li", {}, strings[number])))]
      : []),
  ];
};

const nameList = (numbers) =>
  element("ul", { class: "names" }, ...numbers.slice(0, 20).map((number) => element("li", {}, operatorLink(number))));

const bodyList = (inside) =>
  element("ul", { class: "names" }, ...inside.slice(0, 40).map((each) => element("li", {}, `${each.name} (${each.type})`)));

const reasonBox = (reason) => [
  element(
    "div",
    { class: "reason" },
    element("p", {}, codeLink(reason), ` ${reason.words}`),
    list([
      reason.got ? row("got", reason.got) : [],
      reason.allowed ? row("allowed", reason.allowed) : [],
      reason.fix ? row("fix", reason.fix) : [],
      reason.source ? row("source", `${reason.source} (confidence ${reason.confidence})`) : [],
    ]),
  ),
];

const STATES = { supported: "taken", soft: "taken at a price", unsupported: "not taken", unknown: "not known" };

// One bar for each device that takes the operator's unit.
const costBars = (operator) => {
  const asked = verdictsOf(unitCost(operator));
  const most = Math.max(...asked.map((each) => each.latency || 0), 1e-12);
  const shared = unitCost(operator) !== operator;
  return element(
    "div",
    { class: "costs" },
    ...asked.map((each, number) => {
      const own = verdictsOf(operator)[number];
      const here = each.device === operator.partition.device;
      const words = each.latency === null ? STATES[own.state] : `${timeText(each.latency)}, ${energyText(each.energy)}`;
      return element(
        "div",
        { class: here ? "cost here" : "cost" },
        deviceLabel(each.device),
        bar(each.device.kind, each.latency === null ? 0 : (100 * each.latency) / most),
        element("span", { class: "figure" }, words, each.latency === null ? "" : mark(each.source)),
      );
    }),
    shared ? element("p", { class: "under" }, "of its group together") : "",
  );
};

const NS = "http://www.w3.org/2000/svg";

const bar = (kind, width) => {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("aria-hidden", "true");
  for (const fill of [`fill-${kind}`, `hatch-${kind}`]) {
    const part = document.createElementNS(NS, "rect");
    part.setAttribute("class", fill);
    part.setAttribute("width", `${Math.max(width, width > 0 ? 1 : 0)}%`);
    part.setAttribute("height", "100%");
    svg.append(part);
  }
  return svg;
};

const tensorList = (heading, numbers, way) => {
  const known = numbers.filter((number) => number >= 0);
  if (!known.length) return [];
  return [
    element("h4", {}, heading === "reads" ? "Reads" : "Makes"),
    element("ul", { class: "tensors" }, ...known.slice(0, 30).map((number) => tensorItem(tensor(number), way))),
    known.length > 30 ? element("p", { class: "under" }, `and ${known.length - 30} more`) : "",
  ].filter((part) => part !== "");
};

const tensorItem = (each, way) => {
  const words = [each.type, each.bytes === null ? "" : bytesText(each.bytes)];
  const facts = words.filter((word) => word && word !== "?").join(", ");
  return element("li", {}, element("span", { class: "tensor" }, each.name), element("span", { class: "under" }, facts),
    ...ends(each, way));
};

const ends = (each, way) => {
  if (each.constant) return [element("span", { class: "under" }, "constant")];
  if (way === "from") {
    if (viewer.level === "top" && partitionMakers.has(each.number)) {
      const maker = partitions[partitionMakers.get(each.number)];
      return [link(`from ${maker.id}`, () => selectPartition(maker.number))];
    }
    if (makers.has(each.number)) {
      const maker = operators[makers.get(each.number)];
      return [link(`from ${maker.type}`, () => goToOperator(maker.number), maker.name)];
    }
    return [element("span", { class: "under" }, "fed by the caller")];
  }
  const readers = viewer.level === "top" ? partitionReaders.get(each.number) || [] : consumers.get(each.number) || [];
  const made = readers.slice(0, 4).map((number) =>
    viewer.level === "top"
      ? link(`to ${partitions[number].id}`, () => selectPartition(number))
      : link(`to ${operators[number].type}`, () => goToOperator(number), operators[number].name),
  );
  if (readers.length > 4) made.push(element("span", { class: "under" }, `and ${readers.length - 4} more`));
  if (data.outputs.includes(each.number)) made.push(element("span", { class: "under" }, "an output of the model"));
  return made;
};

const tensorPanel = (each) => {
  const readers = consumers.get(each.number) || [];
  return [
    ...title(each.name, each.type),
    list([row("size", bytesText(each.bytes))]),
    element("h4", {}, "Comes from"),
    element("p", {}, ...ends(each, "from")),
    ...(readers.length ? [element("h4", {}, `Read by ${counted(readers.length, "operator")}`), nameList(readers)] : []),
  ];
};

const typeList = (numbers) => {
  const types = typesOf(numbers);
  if (!types.length) return [];
  const most = types[0][1];
  return [
    element("h4", {}, "Operator types"),
    element(
      "div",
      { class: "costs" },
      ...types.slice(0, 8).map(([type, count]) =>
        element("div", { class: "cost" }, element("span", {}, type), bar("plain", (100 * count) / most),
          element("span", { class: "figure" }, String(count))),
      ),
    ),
    types.length > 8 ? element("p", { class: "under" }, `and ${counted(types.length - 8, "more type")}`) : "",
  ].filter((part) => part !== "");
};

// --- beside the pointer ---------------------------------------------------------------------------------------------------

const hover = (box, event) => {
  if (box !== viewer.hovered) {
    viewer.hovered = box;
    viewer.canvas.style.cursor = box >= 0 ? "pointer" : "grab";
    redraw();
    tip.replaceChildren(...(box >= 0 ? tipWords(box) : []));
    tip.hidden = box < 0;
  }
  if (box < 0 || !event) return;
  const { x, y } = at(event);
  const { width, height } = size();
  tip.style.left = `${Math.max(8, Math.min(x + 16, width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 20 + tip.offsetHeight > height ? Math.max(8, y - tip.offsetHeight - 12) : y + 20}px`;
};

const tipWords = (box) => {
  const { scene } = viewer;
  const [kind, ref] = [scene.kind[box], scene.ref[box]];
  if (kind === KIND.operator) return operatorTip(operators[ref]);
  if (kind === KIND.partition || kind === KIND.block) {
    const [name, ...rest] = wordsOf(scene, box);
    return [element("b", {}, name), ...rest.filter((word) => word).map((word) => element("span", {}, word))];
  }
  const each = tensor(ref);
  return [element("b", {}, each.name), element("span", {}, each.type)];
};

const operatorTip = (operator) => {
  const reason = reasonOf(operator);
  const cost = unitCost(operator);
  const shared = cost !== operator ? ", with its group" : "";
  const made = operator.outputs.filter((number) => number >= 0).slice(0, 2);
  return [
    element("b", {}, operator.name),
    element("span", {}, deviceLabel(operator.partition.device), ` ${operator.type}`),
    ...made.map((number) => element("span", { class: "mono" }, typeOf(number))),
    cost.latency === null ? "" : element("span", {}, `${timeText(cost.latency)}${shared} `, mark(sourceOf(operator))),
    reason ? element("span", { class: "why" }, `${reason.code || reason.rule} ${reason.words}`) : "",
  ].filter((part) => part !== "");
};
