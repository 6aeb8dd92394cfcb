// Puts a verdict on the page, from the same frame the server fills when there are no scripts. Text only, never markup.

function fill(frame, slot, text) {
  frame.querySelector(`[data-slot="${slot}"]`).textContent = text;
}

/** The page's own sentences; `{name}` is filled from `values`. */
export function sayer(host) {
  const texts = JSON.parse(host.dataset.texts);
  return (key, values = {}) =>
    Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), texts[key] || key);
}

/** Shows `verdict` ({verdict, partial, word, summary, as_of, facts, steps}) in `host` and moves the focus to it. */
export function show(host, verdict, { focus = true } = {}) {
  const frame = document.getElementById("verdict-template").content.firstElementChild.cloneNode(true);
  frame.dataset.verdict = verdict.verdict;
  if (verdict.partial) frame.dataset.partial = "";
  fill(frame, "word", verdict.word);
  fill(frame, "summary", verdict.summary);
  fill(frame, "as_of", verdict.as_of);
  frame.querySelector('[data-part="as_of"]').hidden = !verdict.as_of;
  frame.querySelector('[data-part="facts"]').hidden = !verdict.facts.length;
  const facts = frame.querySelector('[data-slot="facts"]');
  for (const [name, value] of verdict.facts) {
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = name;
    description.textContent = value;
    facts.append(term, description);
  }
  const steps = frame.querySelector('[data-slot="steps"]');
  for (const one of verdict.steps) {
    const row = document.getElementById("step-template").content.firstElementChild.cloneNode(true);
    row.dataset.status = one.status;
    for (const slot of ["name", "word", "text", "reason"]) fill(row, slot, one[slot]);
    steps.append(row);
  }
  host.replaceChildren(frame);
  if (focus) {
    const heading = frame.querySelector("h2");
    heading.focus({ preventScroll: true });
    frame.scrollIntoView({ block: "nearest" });
  }
}

/** Says what went wrong; an empty text takes it back. */
export function problem(title, text) {
  const place = document.getElementById("problem");
  if (!text) {
    place.replaceChildren();
    return;
  }
  const box = document.createElement("div");
  box.className = "alert";
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
