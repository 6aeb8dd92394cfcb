// Verification by hash and by number. The file that is chosen is hashed on this device and never sent.
// Without this file both forms work by themselves; the hash has then to be typed.
import { isDocument, problem, progress, refusal, sayer, show } from "./verdict.js";

const host = document.getElementById("result");
const file = document.getElementById("file");
const hash = document.getElementById("hash");
const say = sayer(host);
let asked = 0;

// WebCrypto is there in secure contexts only.
if (globalThis.crypto?.subtle) document.getElementById("local").hidden = false;

file.addEventListener("change", async () => {
  if (!file.files.length) return;
  const turn = (asked += 1);
  problem("", "");
  host.replaceChildren();
  progress(say("lookup_hashing"));
  try {
    if (!(await isDocument(file.files[0]))) {
      if (turn !== asked) return;
      progress("");
      problem(say("verdict_unread"), say("verify_no_document"), { calm: true });
      return;
    }
    const digest = await crypto.subtle.digest("SHA-256", await file.files[0].arrayBuffer());
    if (turn !== asked) return;
    hash.value = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
    ask(document.getElementById("by-hash"));
  } catch {
    if (turn !== asked) return;
    progress("");
    problem(say("verify_failed"), say("lookup_unreadable"));
  }
});

for (const id of ["by-hash", "by-number"]) {
  document.getElementById(id).addEventListener("submit", (event) => {
    event.preventDefault();
    ask(event.target);
  });
}

async function ask(form) {
  const turn = (asked += 1);
  problem("", "");
  host.replaceChildren();
  progress(say("verify_busy"));
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { accept: "application/json" },
      credentials: "same-origin",
    });
    const content = await answer.json();
    if (turn !== asked) return;
    if (answer.ok) show(host, content);
    else problem(say("verify_failed"), refusal(content) || say("verify_network"));
  } catch {
    if (turn === asked) problem(say("verify_failed"), say("verify_network"));
  } finally {
    if (turn === asked) progress("");
  }
}
