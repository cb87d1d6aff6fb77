// When each device works: a row for each, partitions as bars, tensors that cross as arrows. Zooms as the graph does.

const LANE = 46;
const BAR = 26;
const AXIS = 26;
const SIDE = 84; // for the names of devices

const timeline = {
  canvas: document.getElementById("timeline"),
  rows: [],
  end: 0,
  from: 0, // of the part that is shown, in microseconds
  to: 0,
  frame: 0,
  hovered: -1,
  selected: -1,
};

const hasTimes = () => partitions.length > 0 && partitions.every((each) => each.start !== null && each.end !== null);

const laneOf = (each) => timeline.rows.findIndex((device) => device.id === each.id);

const redrawTimeline = () => {
  if (!timeline.frame) timeline.frame = requestAnimationFrame(drawTimeline);
};

const across = (time) => {
  const room = timeline.canvas.clientWidth - SIDE - 16;
  return SIDE + ((time - timeline.from) / (timeline.to - timeline.from)) * room;
};

const timeAt = (x) => {
  const room = timeline.canvas.clientWidth - SIDE - 16;
  return timeline.from + ((x - SIDE) / room) * (timeline.to - timeline.from);
};

const middleOf = (lane) => AXIS + lane * LANE + LANE / 2;

const drawTimeline = () => {
  timeline.frame = 0;
  const { canvas } = timeline;
  const ratio = fitCanvas(canvas);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  pen.fillStyle = palette.card;
  pen.fillRect(0, 0, width, height);
  drawAxis(pen, width, height);
  pen.save();
  pen.beginPath();
  pen.rect(SIDE - 1, 0, width - SIDE, height);
  pen.clip();
  for (const each of partitions) drawPartition(pen, each);
  const dense = transfers.length * 30 * timeline.end > (width - SIDE) * (timeline.to - timeline.from);
  for (const each of transfers) drawTransfer(pen, each, dense);
  pen.restore();
  timeline.rows.forEach((each, lane) => drawLaneName(pen, each, lane));
};

const drawAxis = (pen, width, height) => {
  pen.font = `11px ${palette.font}`;
  pen.textBaseline = "middle";
  pen.lineWidth = 1;
  timeline.rows.forEach((_, lane) => {
    pen.fillStyle = lane % 2 ? palette.card : palette.ground;
    pen.fillRect(0, AXIS + lane * LANE, width, LANE);
  });
  const step = niceStep((timeline.to - timeline.from) / Math.max(2, (width - SIDE) / 110));
  const last = Math.min(timeline.to, timeline.end * 1.0001);
  for (let time = Math.ceil(timeline.from / step) * step; time <= last; time += step) {
    const x = Math.round(across(time)) + 0.5;
    pen.strokeStyle = palette.line;
    pen.beginPath();
    pen.moveTo(x, AXIS - 4);
    pen.lineTo(x, height);
    pen.stroke();
    pen.fillStyle = palette.muted;
    pen.textAlign = x > width - 40 ? "right" : "center";
    pen.fillText(time === 0 ? "0" : timeText(Number(time.toPrecision(6))), Math.min(x, width - 4), AXIS / 2);
  }
};

const niceStep = (least) => {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least);
};

const drawLaneName = (pen, each, lane) => {
  pen.fillStyle = lane % 2 ? palette.card : palette.ground;
  pen.fillRect(0, AXIS + lane * LANE, SIDE - 1, LANE);
  const y = middleOf(lane);
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.beginPath();
  pen.roundRect(12, y - 9, 18, 18, 4);
  fillDevice(pen, each.kind, 1);
  pen.beginPath();
  pen.arc(21, y, 6.5, 0, 7);
  pen.fillStyle = palette[each.kind];
  pen.fill();
  pen.fillStyle = palette.on;
  pen.font = `700 10.5px ${palette.font}`;
  pen.textAlign = "center";
  pen.fillText(each.letter, 21, y + 0.5);
  pen.textAlign = "left";
  pen.fillStyle = palette.ink;
  pen.font = `600 12px ${palette.font}`;
  pen.fillText(fitText(pen, each.id, SIDE - 42), 37, y + 0.5);
};

const drawPartition = (pen, each) => {
  const lane = laneOf(each.device);
  const [left, right] = [across(each.start), across(each.end)];
  if (right < SIDE || left > timeline.canvas.clientWidth) return;
  const width = Math.max(1.5, right - left);
  const y = middleOf(lane) - BAR / 2;
  pen.beginPath();
  pen.roundRect(left, y, width, BAR, Math.min(5, width / 2));
  fillDevice(pen, each.device.kind, 1);
  const chosen = each.number === timeline.selected || each.number === timeline.hovered;
  if (chosen || width > 5) {
    pen.strokeStyle = chosen ? palette.accent : palette.card;
    pen.lineWidth = chosen ? 2.5 : 1;
    pen.stroke();
  }
  if (width < 60) return;
  pen.font = `600 11px ${palette.font}`;
  const begin = Math.max(left, SIDE);
  const shown = fitText(pen, `${each.id}  ${timeText(each.latency)}`, Math.min(right, timeline.canvas.clientWidth) - begin - 16);
  if (!shown) return;
  const wide = pen.measureText(shown).width;
  pen.fillStyle = palette[each.device.kind];
  pen.beginPath();
  pen.roundRect(begin + 5, y + 4, wide + 8, BAR - 8, 4);
  pen.fill();
  pen.fillStyle = palette.on;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(shown, begin + 9, y + BAR / 2 + 0.5);
};

// From the end of the partition that makes a tensor to the start of its first reader; what the caller feeds comes from
// the upper edge, and what goes to the caller ends there.
const drawTransfer = (pen, each, dense) => {
  const maker = partitionMakers.has(each.tensor.number) ? partitions[partitionMakers.get(each.tensor.number)] : null;
  const reader = each.readers.map((number) => partitions[number]).sort((a, b) => a.start - b.start)[0];
  const last = reader ? reader.start : timeline.end;
  const first = maker ? maker.end : Math.max(0, last - (each.latency || 0));
  const [from, to] = [across(Math.min(first, last)), across(last)];
  const target = reader ? laneOf(reader.device) : -1;
  const origin = maker ? laneOf(maker.device) : target;
  const y = maker ? middleOf(origin) : AXIS;
  const end = target >= 0 ? middleOf(target) : AXIS;
  pen.strokeStyle = pen.fillStyle = palette.crossing;
  if (to < SIDE || from > timeline.canvas.clientWidth) return;
  pen.lineWidth = dense ? 0.7 : 1.5;
  pen.beginPath();
  pen.moveTo(from, y);
  pen.bezierCurveTo((from + to) / 2, y, (from + to) / 2, end, to, end);
  pen.stroke();
  if (dense) return;
  pen.beginPath();
  pen.moveTo(to, end - 5);
  pen.lineTo(to + 4, end);
  pen.lineTo(to, end + 5);
  pen.lineTo(to - 4, end);
  pen.closePath();
  pen.fill();
};

const partitionAt = (event) => {
  const place = timeline.canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - place.left, event.clientY - place.top];
  const lane = Math.floor((y - AXIS) / LANE);
  const near = partitions.filter((each) => laneOf(each.device) === lane);
  return near.find((each) => across(each.start) - 2 <= x && x <= across(each.end) + 2)?.number ?? -1;
};

const showPart = (from, to) => {
  const least = timeline.end / 2000;
  const span = Math.min(timeline.end, Math.max(least, to - from));
  timeline.from = Math.max(0, Math.min(from, timeline.end - span));
  timeline.to = timeline.from + span;
  redrawTimeline();
};

const timelineWheel = (event) => {
  if (document.activeElement !== timeline.canvas && !event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const middle = timeAt(event.clientX - timeline.canvas.getBoundingClientRect().left);
  const factor = Math.exp(Math.max(-240, Math.min(240, event.deltaY)) / 420);
  showPart(middle - (middle - timeline.from) * factor, middle + (timeline.to - middle) * factor);
};

const choose = (number) => {
  timeline.selected = number;
  if (number < 0) return;
  selectPartition(number);
  redrawTimeline();
};

const timelineKey = (event) => {
  const order = partitions.map((each) => each.number).sort((a, b) => partitions[a].start - partitions[b].start);
  const place = order.indexOf(timeline.selected);
  const middle = (timeline.from + timeline.to) / 2;
  const half = (timeline.to - timeline.from) / 2;
  const actions = {
    ArrowRight: () => choose(order[Math.min(order.length - 1, place + 1)]),
    ArrowLeft: () => choose(order[Math.max(0, place - 1)]),
    Enter: () => timeline.selected >= 0 && openPartition(timeline.selected),
    "+": () => showPart(middle - half / 1.25, middle + half / 1.25),
    "-": () => showPart(middle - half * 1.25, middle + half * 1.25),
    0: () => showPart(0, timeline.end),
    Escape: () => showPart(0, timeline.end),
  };
  const action = actions[event.key];
  if (!action || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  action();
};

const timelineTip = document.getElementById("timeline-tip");

const overTimeline = (event) => {
  const number = partitionAt(event);
  if (number !== timeline.hovered) {
    timeline.hovered = number;
    redrawTimeline();
    timelineTip.hidden = number < 0;
    timeline.canvas.style.cursor = number < 0 ? "default" : "pointer";
    if (number >= 0) {
      const each = partitions[number];
      timelineTip.replaceChildren(
        element("b", {}, each.id),
        element("span", {}, `${timeText(each.start)} to ${timeText(each.end)}: ${timeText(each.latency)} `, mark(data.source)),
        element("span", {}, counted(each.operators.length, "operator")),
      );
    }
  }
  if (number < 0) return;
  const place = timeline.canvas.getBoundingClientRect();
  const x = event.clientX - place.left;
  timelineTip.style.left = `${Math.max(4, Math.min(x + 14, place.width - timelineTip.offsetWidth - 4))}px`;
  timelineTip.style.top = `${event.clientY - place.top + 18}px`;
};

const startTimeline = () => {
  if (!hasTimes()) {
    document.getElementById("timeline-part").hidden = true;
    return;
  }
  const { canvas } = timeline;
  timeline.rows = devices.filter((each) => partitions.some((part) => part.device === each));
  timeline.end = Math.max(1000 * (data.latency || 0), ...partitions.map((each) => each.end)) || 1;
  timeline.to = timeline.end;
  canvas.style.height = `${AXIS + LANE * timeline.rows.length}px`;
  canvas.addEventListener("wheel", timelineWheel, { passive: false });
  canvas.addEventListener("keydown", timelineKey);
  canvas.addEventListener("pointermove", overTimeline);
  canvas.addEventListener("pointerleave", () => {
    timeline.hovered = -1;
    timelineTip.hidden = true;
    redrawTimeline();
  });
  let begin = null;
  canvas.addEventListener("pointerdown", (event) => (begin = { x: event.clientX, from: timeline.from, to: timeline.to }));
  canvas.addEventListener("pointermove", (event) => {
    if (!begin || !event.buttons) return;
    const moved = timeAt(0) - timeAt(event.clientX - begin.x);
    if (timeline.to - timeline.from < timeline.end) showPart(begin.from + moved, begin.to + moved);
  });
  canvas.addEventListener("click", (event) => {
    const far = begin ? Math.abs(event.clientX - begin.x) : 0;
    if (far < 4) choose(partitionAt(event));
  });
  canvas.addEventListener("dblclick", () => showPart(0, timeline.end));
  viewer.listeners.push(followGraph);
};

// The timeline shows what the graph has selected or open.
const followGraph = () => {
  const { scene, selected, level, partition } = viewer;
  let number = level === "top" ? -1 : partition;
  if (selected >= 0 && scene.kind[selected] === KIND.partition) number = scene.ref[selected];
  if (number !== timeline.selected) {
    timeline.selected = number;
    redrawTimeline();
  }
};
