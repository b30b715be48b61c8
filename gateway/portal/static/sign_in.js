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

  // Links to `#sign-in` open the form, whoever may be signed in.
  function follow() {
    if (location.hash === "#sign-in") {
      history.replaceState(null, "", location.pathname + location.search);
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
