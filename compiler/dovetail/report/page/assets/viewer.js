// The graph: which level is open, where the camera is, what is selected.

const scenes = new Map();

const sceneOf = (level, partition) => {
  const key = `${level} ${partition}`;
  if (!scenes.has(key)) {
    const source = level === "top" ? data.scenes.top : data.scenes[level][partition];
    scenes.set(key, source ? new Scene(source) : null);
  }
  return scenes.get(key);
};

const LEVELS = ["top", "folded", "whole"];
const LEVEL_NAMES = { top: "partitions", folded: "blocks", whole: "operators" };
const MOST_ZOOM = 3;
const READABLE = 0.62;

const viewer = {
  canvas: document.getElementById("graph"),
  level: "top",
  partition: -1,
  scene: null,
  camera: { x: 0, y: 0, zoom: 1 },
  cameras: new Map(), // of levels that were open before
  selected: -1,
  hovered: -1,
  found: new Set(),
  frame: 0,
  moved: false, // since the level was opened, by the reader or for a selection
  drawn: 0,
  listeners: [],
};

const size = () => ({ width: viewer.canvas.clientWidth, height: viewer.canvas.clientHeight });

const redraw = () => {
  if (!viewer.frame) viewer.frame = requestAnimationFrame(draw);
};

const draw = () => {
  viewer.frame = 0;
  const ratio = fitCanvas(viewer.canvas);
  const pen = viewer.canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { width, height } = size();
  pen.fillStyle = palette.ground;
  pen.fillRect(0, 0, width, height);
  if (!viewer.scene) return;
  const focus = viewer.hovered >= 0 ? viewer.hovered : viewer.selected;
  const state = { selected: viewer.selected, focus, found: viewer.found };
  viewer.drawn = drawScene(pen, viewer.scene, viewer.camera, { width, height }, state);
  drawMap();
};

// --- the camera -----------------------------------------------------------------------------------------------------

const leastZoom = () => {
  const { width, height } = size();
  return Math.min(1, 0.9 * Math.min(width / viewer.scene.width, height / viewer.scene.height));
};

const fitCamera = (scene, least = 0) => {
  const { width, height } = size();
  const edge = 28;
  const room = Math.min((width - 2 * edge) / scene.width, (height - 2 * edge) / scene.height);
  const zoom = Math.min(1.15, Math.max(room, least));
  const begin = (whole, part) => (part + 2 * edge > whole + 1 ? edge : (whole - part) / 2);
  return { x: begin(width, zoom * scene.width), y: begin(height, zoom * scene.height), zoom };
};

// What does not fit begins at its first box, large enough to be read.
const firstCamera = (scene) => {
  const camera = fitCamera(scene, READABLE);
  const { width, height } = size();
  let first = 0;
  for (let i = 1; i < scene.count; i += 1) if (scene.x[i] + scene.y[i] < scene.x[first] + scene.y[first]) first = i;
  if (camera.x + camera.zoom * scene.x[first] > width) camera.x = width / 2 - camera.zoom * scene.x[first];
  if (camera.y + camera.zoom * scene.y[first] > height) camera.y = height / 2 - camera.zoom * scene.y[first];
  return camera;
};

let flight = 0;
const flyTo = (camera) => {
  viewer.moved = true;
  cancelAnimationFrame(flight);
  const from = { ...viewer.camera };
  if (calm.matches || document.hidden) {
    viewer.camera = camera;
    redraw();
    return;
  }
  const begin = performance.now();
  const step = (now) => {
    const part = Math.min(1, (now - begin) / 220);
    const eased = 1 - (1 - part) ** 3;
    for (const axis of ["x", "y", "zoom"]) viewer.camera[axis] = from[axis] + (camera[axis] - from[axis]) * eased;
    redraw();
    if (part < 1) flight = requestAnimationFrame(step);
  };
  flight = requestAnimationFrame(step);
};

const zoomBy = (factor, x = size().width / 2, y = size().height / 2) => {
  viewer.moved = true;
  cancelAnimationFrame(flight);
  const { camera } = viewer;
  const zoom = Math.min(MOST_ZOOM, Math.max(leastZoom(), camera.zoom * factor));
  camera.x = x - ((x - camera.x) * zoom) / camera.zoom;
  camera.y = y - ((y - camera.y) * zoom) / camera.zoom;
  camera.zoom = zoom;
  redraw();
};

const panBy = (x, y) => {
  viewer.moved = true;
  cancelAnimationFrame(flight);
  const { camera, scene } = viewer;
  const { width, height } = size();
  const keep = 60; // of the drawing stays in sight
  camera.x = Math.min(width - keep, Math.max(keep - camera.zoom * scene.width, camera.x + x));
  camera.y = Math.min(height - keep, Math.max(keep - camera.zoom * scene.height, camera.y + y));
  redraw();
};

const fitAll = () => flyTo(fitCamera(viewer.scene));

// Bring a box to the middle, as far as that leaves no empty half.
const centre = (box) => {
  const { scene } = viewer;
  const { width, height } = size();
  const edge = 28;
  const zoom = Math.max(0.85, Math.min(viewer.camera.zoom, 1.4));
  const within = (wanted, whole, part) =>
    part + 2 * edge <= whole ? (whole - part) / 2 : Math.min(edge, Math.max(whole - part - edge, wanted));
  flyTo({
    x: within(width / 2 - zoom * (scene.x[box] + scene.w[box] / 2), width, zoom * scene.width),
    y: within(height / 2 - zoom * (scene.y[box] + scene.h[box] / 2), height, zoom * scene.height),
    zoom,
  });
};

const isInSight = (box) => {
  const { camera, scene } = viewer;
  const { width, height } = size();
  const left = camera.x + camera.zoom * scene.x[box];
  const top = camera.y + camera.zoom * scene.y[box];
  const inside = left >= 0 && left + camera.zoom * scene.w[box] <= width;
  return inside && top >= 0 && top + camera.zoom * scene.h[box] <= height;
};

// --- levels -----------------------------------------------------------------------------------------------------------

const hasLevel = (level, partition) => level === "top" || (partition >= 0 && data.scenes[level][partition] !== null);

const open = (level, partition = -1) => {
  if (viewer.scene) viewer.cameras.set(`${viewer.level} ${viewer.partition}`, { ...viewer.camera });
  cancelAnimationFrame(flight);
  viewer.level = level;
  viewer.partition = level === "top" ? -1 : partition;
  viewer.scene = sceneOf(level, viewer.partition);
  viewer.selected = -1;
  hover(-1);
  viewer.found = new Set();
  const known = viewer.cameras.get(`${level} ${viewer.partition}`);
  viewer.camera = known || firstCamera(viewer.scene);
  viewer.moved = known !== undefined;
  map.scene = null;
  changed();
  const where = level === "top" ? "All partitions" : `${partitions[partition].id}, ${LEVEL_NAMES[level]}`;
  announce(`${where}: ${counted(viewer.scene.count, "box")}`.replace("boxs", "boxes"));
};

const openPartition = (number) => {
  if (hasLevel("folded", number)) open("folded", number);
  else if (hasLevel("whole", number)) open("whole", number);
  else selectPartition(number);
};

// One level up: what was open is selected there.
const back = () => {
  const { level, partition, selected, scene } = viewer;
  if (level === "top") return;
  if (level === "whole" && hasLevel("folded", partition)) {
    const operator = selected >= 0 && scene.kind[selected] === KIND.operator ? scene.ref[selected] : -1;
    open("folded", partition);
    if (operator >= 0) select(viewer.scene.find(KIND.operator, operator));
    return;
  }
  open("top");
  select(viewer.scene.find(KIND.partition, partition));
};

const changed = () => {
  for (const listener of viewer.listeners) listener();
  redraw();
};

// --- selecting ----------------------------------------------------------------------------------------------------------

const select = (box, move = false) => {
  viewer.selected = box;
  if (box >= 0 && (!isInSight(box) || (move && viewer.camera.zoom < READABLE))) centre(box);
  changed();
  if (box >= 0) announce(wordsOf(viewer.scene, box).filter((word) => word).join(", "));
};

const selectPartition = (number) => {
  if (viewer.level !== "top") open("top");
  select(viewer.scene.find(KIND.partition, number), true);
};

// Open the level on which an operator is a box of its own, and go there.
const goToOperator = (number) => {
  const operator = operators[number].holder >= 0 ? operators[operators[number].holder] : operators[number];
  const place = operator.partition ? operator.partition.number : -1;
  if (place < 0) return;
  if (!hasLevel("whole", place)) {
    selectPartition(place);
    return;
  }
  if (viewer.level === "top" || viewer.partition !== place || viewer.scene.find(KIND.operator, operator.number) < 0) {
    open("whole", place);
  }
  let box = viewer.scene.find(KIND.operator, operator.number);
  if (viewer.scene.kind[box] === KIND.block) {
    open("whole", place);
    box = viewer.scene.find(KIND.operator, operator.number);
  }
  select(box, true);
};

const goToTensor = (number) => {
  if (makers.has(number)) goToOperator(makers.get(number));
  else if (partitionMakers.has(number)) selectPartition(partitionMakers.get(number));
  else if (data.inputs.includes(number)) {
    open("top");
    select(viewer.scene.find(KIND.input, number), true);
  }
};

// What a click or the enter key does to a box.
const enter = (box) => {
  const { scene } = viewer;
  const ref = scene.ref[box];
  if (scene.kind[box] === KIND.partition && hasLevel("whole", ref)) {
    openPartition(ref);
    return;
  }
  if (scene.kind[box] === KIND.block) {
    const first = scene.blocks[ref][1][0];
    open("whole", viewer.partition);
    select(viewer.scene.find(KIND.operator, first), true);
    return;
  }
  select(box);
};

// --- the small map -------------------------------------------------------------------------------------------------------

const map = { canvas: document.getElementById("map"), scene: null, zoom: 1, picture: null };

const drawMap = () => {
  const { scene, camera } = viewer;
  const { width, height } = size();
  const whole = camera.x >= 0 && camera.y >= 0 && camera.x + camera.zoom * scene.width <= width + 1 &&
    camera.y + camera.zoom * scene.height <= height + 1;
  map.canvas.hidden = whole;
  if (whole) return;
  if (map.scene !== scene) makeMap(scene);
  const ratio = fitCanvas(map.canvas);
  const pen = map.canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, map.canvas.clientWidth, map.canvas.clientHeight);
  pen.drawImage(map.picture, 0, 0, map.canvas.clientWidth, map.canvas.clientHeight);
  const scale = map.zoom / camera.zoom;
  pen.strokeStyle = palette.accent;
  pen.lineWidth = 1.5;
  const [w, h] = [Math.max(5, width * scale), Math.max(5, height * scale)];
  pen.strokeRect(map.edge - camera.x * scale, map.edge - camera.y * scale, w, h);
};

const makeMap = (scene) => {
  const edge = (map.edge = 6);
  map.zoom = Math.min(150 / scene.width, 150 / scene.height);
  const least = 34;
  map.canvas.style.width = `${Math.max(least, scene.width * map.zoom + 2 * edge)}px`;
  map.canvas.style.height = `${Math.max(least, scene.height * map.zoom + 2 * edge)}px`;
  const ratio = fitCanvas(map.canvas);
  map.picture = document.createElement("canvas");
  map.picture.width = map.canvas.width;
  map.picture.height = map.canvas.height;
  const pen = map.picture.getContext("2d");
  pen.scale(ratio, ratio);
  pen.translate(edge, edge);
  for (let i = 0; i < scene.count; i += 1) {
    const kind = scene.deviceKind[i];
    pen.fillStyle = kind === "host" ? palette.muted : palette[kind];
    const [w, h] = [Math.max(1, scene.w[i] * map.zoom), Math.max(1, scene.h[i] * map.zoom)];
    pen.fillRect(scene.x[i] * map.zoom, scene.y[i] * map.zoom, w, h);
  }
  map.scene = scene;
};

const moveMap = (event) => {
  const place = map.canvas.getBoundingClientRect();
  const x = (event.clientX - place.left - map.edge) / map.zoom;
  const y = (event.clientY - place.top - map.edge) / map.zoom;
  const { width, height } = size();
  viewer.camera.x = width / 2 - x * viewer.camera.zoom;
  viewer.camera.y = height / 2 - y * viewer.camera.zoom;
  panBy(0, 0);
};
