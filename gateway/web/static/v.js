// The page a QR code opens. The code's text is in the fragment: it is checked here first, then the server is asked.
import { check } from "./qr.js";
import { isNewest, newTurn, problem, progress, refusal, sayer, show } from "./verdict.js";

const host = document.getElementById("result");
const form = document.getElementById("qr");
const say = sayer(host);
const SERVER_SECONDS = 8;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  judge(form.elements.content.value);
});
window.addEventListener("hashchange", judgeFragment);

if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/v/worker.js", { scope: "/v" }).catch(() => {});
  navigator.serviceWorker.ready.then(() => {
    document.getElementById("ready").hidden = false;
  });
}
judgeFragment();

function judgeFragment() {
  const content = location.hash.slice(1);
  if (content) judge(content);
}

async function keys() {
  try {
    const answer = await fetch("/verify/trust", { credentials: "omit" });
    return answer.ok ? (await answer.json()).keys || [] : [];
  } catch {
    return [];
  }
}

async function judge(content) {
  const turn = newTurn();
  problem("", "");
  progress(say("qr_checking"));
  const here = offline(await check(content, await keys()));
  if (!isNewest(turn)) return;
  show(host, here);
  const server = await ask(content);
  if (!isNewest(turn)) return;
  progress("");
  show(host, together(here, server), { focus: false });
}

/** The verdict of this device, worded. */
function offline({ verdict, reason, code }) {
  const status = { VALID: "valid", INVALID: "invalid", INDETERMINATE: "unknown" }[verdict];
  const told = reason === "QR_MALFORMED" ? "unread" : verdict;
  const key = { OK: "valid", QR_SIGNATURE: "invalid", QR_MALFORMED: "malformed", QR_KEY_UNKNOWN: "unknown" }[reason];
  const facts = code && verdict === "VALID" ? [[say("fact_number"), code.number], [say("fact_date"), code.date]] : [];
  const found = say(`qr_text_${key}`, { key: code ? code.key : "" });
  return {
    verdict,
    tone: told === "unread" ? "not_checked" : status,
    partial: true,
    word: say(`qr_word_${told}`),
    holds: say(`qr_holds_${told}`),
    asked: say("asked", { time: new Date().toLocaleString("sv-SE", { timeZone: "Asia/Shanghai" }) }),
    cause: verdict === "VALID" ? "" : found,
    advice: say(`qr_advice_${told}`),
    as_of: "",
    facts,
    signatures: [],
    steps: [step("qr", status, reason, found)],
    left_out: "",
  };
}

function step(name, status, reason, text) {
  return { step: name, name: say(`step_${name}`), status, word: say(`status_${status}`), reason, text };
}

/** The server's verdict, or {refused} with the reason why there is none. */
async function ask(content) {
  try {
    const answer = await fetch("/verify/qr", {
      method: "POST",
      body: JSON.stringify({ content }),
      headers: { "content-type": "application/json", accept: "application/json" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(SERVER_SECONDS * 1000),
    });
    const verdict = await answer.json();
    return answer.ok ? verdict : { refused: say("qr_text_refused", { message: refusal(verdict) }) };
  } catch {
    return { refused: say("qr_text_offline") };
  }
}

/**
 * Both verdicts as one. The server adds what this device cannot know, a newer format among it, but never makes good a
 * signature that is wrong here.
 */
function together(here, server) {
  if (server.refused) {
    const word = here.verdict === "VALID" ? say("qr_word_offline") : here.word;
    return { ...here, word, steps: [...here.steps, step("online", "not_checked", "NOT_ASKED", server.refused)] };
  }
  if (here.steps[0].reason === "QR_SIGNATURE") return { ...here, steps: [...here.steps, ...server.steps] };
  return {
    ...server,
    facts: server.facts.length ? server.facts : here.facts,
    steps: [...here.steps, ...server.steps],
  };
}
