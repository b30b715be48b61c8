// Starts ReDoc on the document named by the page. Its search runs in a worker made from a blob.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const darkTheme = {
  colors: {
    primary: { main: "#8db8f2" },
    success: { main: "#7ecb8f", contrastText: "#14181f" },
    warning: { main: "#e8b45a", contrastText: "#14181f" },
    error: { main: "#ffb4ab", contrastText: "#14181f" },
    gray: { 50: "#1d2530", 100: "#1d232d" },
    text: { primary: "#e4e9f0", secondary: "#9ba8b8" },
    border: { dark: "#4a5564", light: "#343d4a" },
    responses: {
      success: { color: "#7ecb8f", backgroundColor: "rgb(126 203 143 / .12)", tabTextColor: "#7ecb8f" },
      error: { color: "#ffb4ab", backgroundColor: "rgb(255 180 171 / .1)", tabTextColor: "#ffb4ab" },
      redirect: { color: "#c8d0da", backgroundColor: "rgb(200 208 218 / .1)", tabTextColor: "#c8d0da" },
      info: { color: "#8db8f2", backgroundColor: "rgb(141 184 242 / .1)", tabTextColor: "#8db8f2" },
    },
  },
  schema: {
    linesColor: "#4a5564",
    defaultDetailsWidth: "75%",
    typeNameColor: "#9ba8b8",
    typeTitleColor: "#9ba8b8",
    requireLabelColor: "#ffb4ab",
    nestedBackground: "#1d232d",
    arrow: { color: "#9ba8b8" },
  },
  typography: {
    code: { color: "#f2b8c6", backgroundColor: "#262e3a" },
    links: { color: "#8db8f2", visited: "#8db8f2", hover: "#bcd6fa" },
  },
  sidebar: { backgroundColor: "#1d232d", textColor: "#e4e9f0", activeTextColor: "#8db8f2" },
  rightPanel: { backgroundColor: "#0d1116", textColor: "#e4e9f0" },
  codeBlock: { backgroundColor: "#1d232d" },
  fab: { backgroundColor: "#343d4a", color: "#e4e9f0" },
};

async function start() {
  const container = document.getElementById("redoc");
  try {
    const answer = await fetch(container.dataset.openapi);
    const spec = withoutProblems(await answer.json());
    const theme = dark.matches ? darkTheme : {};
    Redoc.init(spec, { nativeScrollbars: true, theme }, container);
  } catch {
    container.textContent = "The OpenAPI document could not be loaded.";
  }
}

// ReDoc takes its colours once.
dark.addEventListener("change", () => location.reload());
start();
