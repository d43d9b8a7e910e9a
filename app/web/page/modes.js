// The languages whose code is coloured, by the names that models give them. Each mode is loaded when it is first needed.

/** By file and export of ../vendor/modes. */
const NAMES = {
  "clike.js": {
    c: "c h",
    cpp: "cpp c++ cc hpp cxx",
    csharp: "csharp c# cs",
    dart: "dart",
    java: "java",
    kotlin: "kotlin kt",
    scala: "scala",
  },
  "css.js": { css: "css", less: "less", sCSS: "scss sass" },
  "diff.js": { diff: "diff patch" },
  "dockerfile.js": { dockerFile: "dockerfile docker" },
  "go.js": { go: "go golang" },
  "javascript.js": { javascript: "javascript js jsx mjs cjs node", json: "json jsonc json5", typescript: "typescript ts tsx" },
  "lua.js": { lua: "lua" },
  "perl.js": { perl: "perl" },
  "powershell.js": { powerShell: "powershell ps1 pwsh" },
  "properties.js": { properties: "ini properties env" },
  "python.js": { python: "python py python3" },
  "r.js": { r: "r" },
  "ruby.js": { ruby: "ruby rb" },
  "rust.js": { rust: "rust rs" },
  "shell.js": { shell: "shell sh bash zsh console" },
  "sql.js": { standardSQL: "sql", pgSQL: "postgresql postgres psql", mySQL: "mysql", sqlite: "sqlite" },
  "swift.js": { swift: "swift" },
  "toml.js": { toml: "toml" },
  "xml.js": { html: "html", xml: "xml svg xhtml" },
  "yaml.js": { yaml: "yaml yml" },
};

/** @type {Map<string, () => Promise<import("./tokens.js").Mode>>} */
const LOADERS = new Map();
for (const [file, modes] of Object.entries(NAMES)) {
  for (const [mode, names] of Object.entries(modes)) {
    const load = async () => (await import(`../vendor/modes/${file}`))[mode];
    for (const name of names.split(" ")) LOADERS.set(name, load);
  }
}

/** What loads the mode of a language, if it has one. */
export const modeOf = (/** @type {string} */ language) => LOADERS.get(language.toLowerCase());
