// `make lint-js`. The page of a preview is several files that are joined into one module: only the last one is a module,
// and what a name means across files is checked by tsc.
const js = require("@eslint/js");

module.exports = [
  {
    ...js.configs.recommended,
    files: ["byoc_kit/**/*.js"],
    languageOptions: { sourceType: "script" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      "no-undef": "off", // tsc knows the names of the other files and of the browser
      "no-unused-vars": ["error", { vars: "local" }], // another file uses the globals
    },
  },
  { files: ["byoc_kit/**/widget.js"], languageOptions: { sourceType: "module" } },
];
