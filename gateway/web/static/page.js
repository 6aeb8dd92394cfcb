// What every page does: the way to an error, a readable password, a language switch that keeps the fragment, and a
// print that says all.
const problems = document.getElementById("problems");
if (problems) problems.focus();

const reveal = document.getElementById("reveal");
if (reveal) {
  const password = document.getElementById("password");
  reveal.hidden = false;
  reveal.addEventListener("click", () => {
    const show = password.type === "password";
    password.type = show ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(show));
    reveal.textContent = show ? reveal.dataset.hide : reveal.dataset.show;
  });
  // What is sent is never left readable on the screen or in the browser's form history.
  password.form.addEventListener("submit", () => {
    password.type = "password";
  });
}

// On paper nobody can unfold the steps.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details.basis:not([open])")) {
    folded.open = true;
    folded.dataset.printing = "";
  }
});
addEventListener("afterprint", () => {
  for (const unfolded of document.querySelectorAll("details[data-printing]")) {
    unfolded.open = false;
    delete unfolded.dataset.printing;
  }
});

const languages = document.getElementById("switch");
if (languages) {
  languages.addEventListener("click", () => {
    languages.hash = location.hash;
  });
}
