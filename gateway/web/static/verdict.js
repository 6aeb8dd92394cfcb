// Puts a verdict on the page, from the same frame the server fills when there are no scripts. Text only, never markup.

function fill(frame, slot, text) {
  frame.querySelector(`[data-slot="${slot}"]`).textContent = text;
}

let turns = 0;

/** What is asked last is what is shown: an answer is put on the page only while its turn is the newest. */
export function newTurn() {
  return (turns += 1);
}

export function isNewest(turn) {
  return turn === turns;
}

/** The page's own sentences; `{name}` is filled from `values`. */
export function sayer(host) {
  const texts = JSON.parse(host.dataset.texts);
  return (key, values = {}) =>
    Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), texts[key] || key);
}

/**
 * What an answer says went wrong, in the page's language. The edge before the pages answers as it does to programs:
 * English, with the Chinese among its details.
 */
export function refusal(content) {
  const details = Array.isArray(content.details) ? content.details : [];
  const chinese = document.documentElement.lang.startsWith("zh") && details.find((each) => each.locale === "zh-CN");
  return (chinese ? chinese.message : content.message) || "";
}

/** One copy of a row's template, its slots filled from `values`. */
function row(template, status, values) {
  const found = document.getElementById(template).content.firstElementChild.cloneNode(true);
  found.dataset.status = status;
  for (const [slot, text] of Object.entries(values)) fill(found, slot, text);
  return found;
}

/** Names and values as the rows of a list of descriptions. */
function describe(list, pairs) {
  for (const [name, value] of pairs) {
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = name;
    description.textContent = value;
    list.append(term, description);
  }
}

/** Shows `verdict` (as the server's JSON has it, perhaps `partial`) in `host` and moves the focus to it. */
export function show(host, verdict, { focus = true } = {}) {
  const frame = document.getElementById("verdict-template").content.firstElementChild.cloneNode(true);
  frame.dataset.verdict = verdict.verdict;
  frame.dataset.tone = verdict.tone;
  if (verdict.partial) frame.dataset.partial = "";
  fill(frame, "word", verdict.word);
  fill(frame, "holds", verdict.holds);
  for (const part of ["asked", "cause", "advice", "as_of", "digest", "left_out"]) {
    fill(frame, part, verdict[part] || "");
    frame.querySelector(`[data-part="${part}"]`).hidden = !verdict[part];
  }
  for (const part of ["facts", "signatures"]) frame.querySelector(`[data-part="${part}"]`).hidden = !verdict[part].length;
  describe(frame.querySelector('[data-slot="facts"]'), verdict.facts);
  const signatures = frame.querySelector('[data-slot="signatures"]');
  for (const { status, kind, word, who, lines } of verdict.signatures) {
    const card = row("signature-template", status, { kind, word, who });
    describe(card.querySelector('[data-slot="lines"]'), lines);
    signatures.append(card);
  }
  const steps = frame.querySelector('[data-slot="steps"]');
  for (const { status, name, word, text, reason } of verdict.steps) {
    steps.append(row("step-template", status, { name, word, text, reason }));
  }
  host.replaceChildren(frame);
  if (focus) {
    const heading = frame.querySelector("h2");
    heading.focus({ preventScroll: true });
    frame.scrollIntoView({ block: "nearest" });
  }
}

/** Whether a file begins as a PDF or a package does; a photo is told as that before its size or its hash is. */
export async function isDocument(file) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 1024).arrayBuffer()));
  return head.includes("%PDF-") || head.startsWith("PK\x03\x04");
}

/** Says what went wrong; an empty text takes it back. `calm`: nothing is wrong but the choice. */
export function problem(title, text, { calm = false } = {}) {
  const place = document.getElementById("problem");
  if (!text) {
    place.replaceChildren();
    return;
  }
  const box = document.createElement("div");
  box.className = calm ? "alert calm" : "alert";
  const heading = document.createElement("h2");
  const sentence = document.createElement("p");
  heading.textContent = title;
  sentence.textContent = text;
  box.append(heading, sentence);
  place.replaceChildren(box);
}

/** Says that something is under way; an empty text takes it back. */
export function progress(text) {
  const place = document.getElementById("progress");
  if (!text) {
    place.replaceChildren();
    return;
  }
  const line = document.createElement("p");
  line.className = "busy";
  line.textContent = text;
  place.replaceChildren(line);
}
