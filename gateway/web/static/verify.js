// A page with the upload form: drop or choose, send, show. Without this file the form works by itself.
import { isDocument, isNewest, newTurn, problem, progress, refusal, sayer, show } from "./verdict.js";

const form = document.getElementById("upload");
const host = document.getElementById("result");
const drop = document.getElementById("drop");
const file = document.getElementById("pdf");
const button = form.querySelector('button[type="submit"]');
const say = sayer(host);
const MEBIBYTE = 1024 * 1024;
const TOO_LARGE = 413;

document.getElementById("drop-text").hidden = false;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  verify();
});

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  file.files = event.dataTransfer.files;
  verify();
});
// A file dropped beside the field must not replace the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

/** Why a file need not be sent: who has a slow line learns it at once, and the edge may cut off what is too large. */
async function unfitness(chosen) {
  if (!chosen) return "";
  if (!chosen.size) return say("verify_empty");
  if (chosen.size <= form.dataset.limit * MEBIBYTE) return "";
  return (await isDocument(chosen)) ? say("verify_too_large", { size: form.dataset.limit }) : say("verify_no_document");
}

async function verify() {
  const turn = newTurn();
  problem("", "");
  host.replaceChildren();
  const unfit = await unfitness(file.files[0]).catch(() => "");
  if (!isNewest(turn)) return;
  if (unfit) {
    problem(say("verdict_unread"), unfit, { calm: true });
    return;
  }
  progress(say("verify_busy"));
  button.disabled = true;
  try {
    const answer = await fetch("/verify/upload", {
      method: "POST",
      body: new FormData(form),
      headers: { accept: "application/json" },
      credentials: "same-origin",
    });
    const content = await answer.json();
    if (!isNewest(turn)) return;
    if (answer.ok) {
      show(host, content);
      document.getElementById("again").hidden = false;
      // What to choose is known by now: the verdict comes first.
      document.getElementById("lead").hidden = true;
      // The form is for another file.
      form.reset();
    } else if (answer.status === TOO_LARGE) {
      problem(say("verdict_unread"), say("verify_too_large", { size: form.dataset.limit }), { calm: true });
    }
    else problem(say("verify_failed"), refusal(content) || say("verify_network"));
  } catch {
    if (isNewest(turn)) problem(say("verify_failed"), say("verify_network"));
  } finally {
    if (isNewest(turn)) progress("");
    button.disabled = false;
  }
}
