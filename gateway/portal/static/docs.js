// Starts Swagger UI on the document named by the page. No validator badge: it would send the document elsewhere.
// Its Authorize signs in to the session that the pages share; Swagger UI's own way to keep a sign-in would keep the
// password with it.
"use strict";

const container = document.getElementById("swagger-ui");
const OTHERS = "gateway.swagger.credentials";

// The name of the scheme by which user name and password are sent.
function passwordScheme() {
  const schemes = ui.specSelectors.securityDefinitions()?.toJS() ?? {};
  return Object.keys(schemes).find((name) => schemes[name].flow === "password" || schemes[name].flows?.password);
}

// Shows in Authorize who is signed in, by whichever page or tab.
function mirror() {
  const name = passwordScheme();
  const found = session.current();
  if (!name) {
    return;
  }
  if (found) {
    const schema = ui.specSelectors.securityDefinitions().get(name);
    const auth = { name, schema, username: found.username, scopes: [] };
    ui.authActions.authorizeOauth2({ auth, token: { access_token: found.access, token_type: "Bearer" } });
  } else {
    ui.authActions.logout([name]);
  }
}

// Tokens and keys that were pasted survive a reload, in this tab alone.
function keepOthers() {
  const { [passwordScheme()]: _, ...others } = ui.authSelectors.authorized().toJS();
  sessionStorage.setItem(OTHERS, JSON.stringify(others));
}

function restoreOthers() {
  const kept = sessionStorage.getItem(OTHERS);
  if (kept) {
    ui.authActions.restoreAuthorization({ authorized: JSON.parse(kept) });
  }
}

// Swagger UI puts the cursor into the last field of the form, which is out of sight of the first.
function showBeginning() {
  document.querySelector(".modal-ux-content")?.scrollTo(0, 0);
  document.querySelector(".modal-ux-content input")?.focus({ preventScroll: true });
}

const sharedSignIn = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        showDefinitions: (original) => (definitions) => {
          const done = original(definitions);
          if (definitions) {
            requestAnimationFrame(showBeginning);
          }
          return done;
        },
        authorizePassword: (_, system) => async (auth) => {
          const about = { authId: auth.name, source: "auth" };
          system.errActions.clear({ ...about, type: "auth" });
          try {
            await session.signIn(auth.username, auth.password, auth.scopes.join(" "));
          } catch (error) {
            system.errActions.newAuthErr({ ...about, level: "error", message: error.message });
          }
        },
        authorize: (original) => (auth) => {
          const done = original(auth);
          keepOthers();
          return done;
        },
        logout: (original) => (names) => {
          const done = original(names);
          keepOthers();
          if (session.current() && names.includes(passwordScheme())) {
            session.signOut();
          }
          return done;
        },
      },
    },
  },
});

// Swagger UI resolves the whole document each time that an operation is opened, which takes seconds.
const quickResolving = () => ({
  fn: {
    resolveSubtree: async (document, path) => {
      const part = resolved(document, at(document, path));
      const [first, name] = path;
      const shared = first === "paths" && path.length === 3 ? document.paths[name].parameters : undefined;
      if (shared) {
        part.parameters = [...resolved(document, shared), ...(part.parameters ?? [])];
      }
      return { spec: part, errors: [] };
    },
  },
});

// Swagger UI draws each operation anew whenever anything changes, and several times while one is opened. Those that are
// folded show nothing but what they are given, which is the same unless it is theirs that has changed.
const equal = (one, other) => one === other || (one?.equals?.(other) ?? false);
const quickDrawing = () => ({
  wrapComponents: {
    OperationContainer: (Original) =>
      class extends Original {
        shouldComponentUpdate(props, state) {
          const names = Object.keys({ ...this.props, ...props });
          const isFolded = !this.props.isShown && !props.isShown;
          return !isFolded || state !== this.state || names.some((name) => !equal(this.props[name], props[name]));
        }
      },
  },
});

// Whether a request holds the published example of a refresh token, which no server has signed.
function refreshesExample({ url, body, loadSpec }) {
  if (loadSpec) {
    return false; // the document itself
  }
  const { paths } = ui.specSelectors.specJson().toJS();
  const path = Object.keys(paths).find((name) => paths[name].post?.operationId === "refreshToken");
  if (new URL(url, location.href).pathname !== path) {
    return false;
  }
  const { example } = paths[path].post.requestBody.content["application/json"];
  try {
    return JSON.parse(body).refresh_token === example.refresh_token;
  } catch {
    return false; // what was typed need not be JSON
  }
}

// A request for whoever is signed in gets a token that has not expired, and another one where it is refused. Where the
// example of a refresh token was left as it is, the session's own is sent.
async function intercept(request) {
  const found = session.current();
  if (found && refreshesExample(request)) {
    request.body = JSON.stringify({ refresh_token: found.refresh });
    request.userFetch = session.replacing;
  } else if (found && request.headers?.Authorization === `Bearer ${found.access}`) {
    request.headers.Authorization = `Bearer ${(await session.accessToken()) ?? ""}`;
    request.userFetch = session.fetch;
  }
  return request;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const ui = SwaggerUIBundle({
  domNode: container,
  url: container.dataset.openapi,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [quickResolving, quickDrawing, sharedSignIn],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  requestInterceptor: intercept,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: () => {
    restoreOthers();
    mirror();
    session.onChange(mirror);
  },
});
