// The upload page: drop or choose, send, show. Without this file the form works by itself.
import { problem, progress, sayer, show } from "./verdict.js";

const form = document.getElementById("upload");
const host = document.getElementById("result");
const drop = document.getElementById("drop");
const file = document.getElementById("pdf");
const button = form.querySelector('button[type="submit"]');
const say = sayer(host);
let asked = 0;

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

async function verify() {
  const turn = (asked += 1);
  problem("", "");
  host.replaceChildren();
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
    if (turn !== asked) return;
    if (answer.ok) {
      show(host, content);
      document.getElementById("again").hidden = false;
      // What to choose is known by now: the verdict comes first.
      document.getElementById("lead").hidden = true;
    } else problem(say("verify_failed"), content.message || say("verify_network"));
  } catch {
    if (turn === asked) problem(say("verify_failed"), say("verify_network"));
  } finally {
    if (turn === asked) {
      progress("");
      button.disabled = false;
    }
  }
}
