// Sends the token of a link in a mail, once somebody has pressed the button. It is in the fragment, which is sent to nobody.
"use strict";

const form = document.getElementById("account");
const button = form.querySelector("button");
const outcome = document.getElementById("outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

function say(text, failed) {
  outcome.textContent = text;
  outcome.className = failed ? "failed" : "done";
}

async function post(url, data, access) {
  const headers = { "Content-Type": "application/json", ...(access && { Authorization: `Bearer ${access}` }) };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(data) });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) {
    const errors = body && body.errors ? body.errors.map((each) => each.message) : [];
    throw new Error(errors.join(" ") || (body && body.detail) || "That did not work. Try again later.");
  }
  return body;
}

async function send() {
  const fields = Object.fromEntries(new FormData(form));
  if (!("username" in fields)) {
    return post(form.action, { token, ...fields });
  }
  // Signed in for this, and out again.
  const login = `${form.dataset.api}/auth/login`;
  const { access_token: access } = await post(login, { ...fields, scope: form.dataset.scope });
  try {
    return await post(form.action, { token }, access);
  } finally {
    await post(`${form.dataset.api}/auth/logout`, {}, access).catch(() => null);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  say("", false);
  try {
    await send();
    form.hidden = true;
    // Nothing of the link stays in the browser's history.
    history.replaceState(null, "", location.pathname);
    say(form.dataset.done, false);
    document.getElementById("next").hidden = false;
  } catch (error) {
    say(error.message, true);
    button.disabled = false;
  }
});

if (token) {
  button.disabled = false;
} else {
  say("This address is not complete: open the link of the mail.", true);
}
