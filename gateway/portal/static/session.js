// The sign-in that the pages share: kept in this origin's storage, so that it survives a reload and every tab has it.
// Passwords are never kept. `data-api` of the script element is where the REST face is.
"use strict";

const session = (() => {
  const KEY = "gateway.session";
  const api = document.currentScript.dataset.api;
  const changes = new EventTarget();
  let unkept = null; // for browsers that refuse to store anything
  let last = Promise.resolve();

  function current() {
    try {
      return JSON.parse(localStorage.getItem(KEY) ?? "null");
    } catch {
      return unkept;
    }
  }

  function keep(found) {
    unkept = found;
    try {
      if (found) {
        localStorage.setItem(KEY, JSON.stringify(found));
      } else {
        localStorage.removeItem(KEY);
      }
    } catch {
      // What is not kept lasts as long as the page.
    }
    changes.dispatchEvent(new Event("change"));
  }

  // One tab at a time: a refresh token works once. Browsers have locks on https and on this machine only; elsewhere the
  // gateway gives the other tab the same tokens again.
  function alone(work) {
    if (navigator.locks) {
      return navigator.locks.request(KEY, work);
    }
    last = last.then(work, work);
    return last;
  }

  async function post(path, data) {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify(data);
    const signal = AbortSignal.timeout(30_000); // whoever waits for the lock does not wait for ever
    const answer = await fetch(`${api}/auth/${path}`, { method: "POST", headers, body, signal });
    const told = await answer.json().catch(() => null);
    if (!answer.ok) {
      const errors = (told?.errors ?? []).map((each) => each.message).join(" ");
      throw Object.assign(new Error(errors || told?.detail || told?.title || "That did not work. Try again later."), {
        status: answer.status,
      });
    }
    return told;
  }

  function keepTokens(username, tokens) {
    keep({
      username,
      access: tokens.access_token,
      refresh: tokens.refresh_token,
      // While a fifth of its life is left it is replaced.
      stale: Date.now() + tokens.expires_in * 800,
    });
  }

  function end(found) {
    return found ? post("revoke", { token: found.refresh }).catch(() => null) : null;
  }

  // Replaces an access token, unless another tab has done so already.
  function refresh(access) {
    return alone(async () => {
      const found = current();
      if (!found || found.access !== access) {
        return;
      }
      try {
        keepTokens(found.username, await post("refresh", { refresh_token: found.refresh }));
      } catch (error) {
        if (error.status !== 401) {
          throw error;
        }
        if (current()?.refresh === found.refresh) {
          keep(null);
        }
      }
    });
  }

  async function accessToken() {
    const found = current();
    if (found && Date.now() >= found.stale) {
      await refresh(found.access).catch(() => null);
    }
    return current()?.access ?? null;
  }

  // Whether these header fields leave it to the session to say who asks.
  function isOurs(headers) {
    const given = headers.get("Authorization");
    return given === null ? !headers.has("X-API-Key") : given === `Bearer ${current()?.access}`;
  }

  // As `fetch`, for whoever is signed in. What was refused for its access token is sent again:
  // with another, or with none if the session has ended.
  async function authorized(url, options = {}) {
    const headers = new Headers(options.headers);
    if (new URL(url, location.href).origin !== location.origin || !isOurs(headers)) {
      return fetch(url, options);
    }
    const send = (access) => {
      if (access) {
        headers.set("Authorization", `Bearer ${access}`);
      } else {
        headers.delete("Authorization");
      }
      return fetch(url, { ...options, headers });
    };
    const access = await accessToken();
    const answer = await send(access);
    if (answer.status !== 401 || !access) {
      return answer;
    }
    await refresh(access).catch(() => null);
    const other = current()?.access ?? null;
    return other === access ? answer : send(other);
  }

  // As `fetch`, for a request that replaces the session's tokens by itself: those that come back are kept.
  function replacing(url, options) {
    return alone(async () => {
      const answer = await fetch(url, options);
      const found = current();
      if (answer.ok && found) {
        keepTokens(found.username, await answer.clone().json());
      }
      return answer;
    });
  }

  function signIn(username, password, scope) {
    return alone(async () => {
      const before = current();
      keepTokens(username, await post("login", { username, password, ...(scope && { scope }) }));
      await end(before);
    });
  }

  function signOut() {
    return alone(async () => {
      const before = current();
      keep(null);
      await end(before);
    });
  }

  addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) {
      changes.dispatchEvent(new Event("change"));
    }
  });

  // Ends what is kept of a session that has ended elsewhere.
  async function check() {
    const found = current();
    if (found) {
      await refresh(found.access).catch(() => null);
    }
  }

  return {
    current,
    check,
    accessToken,
    fetch: authorized,
    replacing,
    signIn,
    signOut,
    onChange: (listener) => changes.addEventListener("change", listener),
  };
})();
