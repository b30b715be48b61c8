// The button and the form by which people sign in on a page.
"use strict";

(() => {
  const dialog = document.getElementById("sign-in");
  const form = dialog.querySelector("form");
  const outcome = dialog.querySelector("[role=alert]");
  const [who, opener, closer] = ["who", "sign-in-open", "sign-out"].map((id) => document.getElementById(id));

  function show() {
    const found = session.current();
    who.textContent = found ? found.username : "";
    opener.hidden = Boolean(found);
    closer.hidden = !found;
  }

  async function submit(event) {
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    outcome.textContent = "";
    try {
      await session.signIn(form.username.value, form.password.value);
      form.reset();
      dialog.close();
    } catch (error) {
      outcome.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  }

  // Where links to `#sign-in` lead, from a page that may just have ended the session.
  async function follow() {
    if (location.hash !== "#sign-in") {
      return;
    }
    history.replaceState(null, "", location.pathname + location.search);
    await session.check();
    if (!session.current()) {
      dialog.showModal();
    }
  }

  opener.addEventListener("click", () => dialog.showModal());
  closer.addEventListener("click", () => session.signOut());
  form.addEventListener("submit", submit);
  form.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => (outcome.textContent = ""));
  form.querySelector("[data-username]")?.addEventListener("click", (event) => {
    form.username.value = event.target.dataset.username;
    form.password.value = event.target.dataset.password;
    form.requestSubmit();
  });
  session.onChange(show);
  addEventListener("hashchange", follow);
  show();
  follow();
})();
