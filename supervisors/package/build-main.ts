/**
 * Makes `dist/`, which `npm pack` puts into the package: `npm run build`, and before every pack.
 *
 * Node takes types out of sources of its own only, not of what lies in node_modules, and so the package has
 * JavaScript, with declarations beside it. Between the two only endings differ:
 *
 *   ./x.ts                                 the compiler says ./x.js instead
 *   #protocols/x.ts                        stays; the package.json of dist/ says which file is meant
 *   new URL("./x.ts", import.meta.url)     what becomes a process of its own; says ./x.js here
 *   the page of the console                modules of a browser, and the page that names the first of them
 */
import { spawnSync } from "node:child_process"
import { chmodSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import manifest from "../../package.json" with { type: "json" }
import lock from "../../package-lock.json" with { type: "json" }
import { shrinkwrapOf } from "./shrinkwrap.ts"

const root = join(import.meta.dirname, "../..")
const dist = join(root, "dist")

const fail = (problem: string): never => {
  console.error(problem)
  process.exit(1)
}

const compile = (...args: ReadonlyArray<string>): void => {
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  const { status, error } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, stdio: "inherit" })
  if (status === 0) return
  fail(`tsc ${args.join(" ")} failed (${error?.message ?? `exit code ${status}`}): see npm run check`)
}

/** `change` a file of the result. */
const edit = (path: string, change: (text: string) => string): void => {
  const text = readFileSync(join(dist, path), "utf8")
  const changed = change(text)
  if (changed !== text) writeFileSync(join(dist, path), changed)
}

/** Another way to name a source at run time would only fail where the package is used. */
const withEndings = (path: string) => (text: string) => {
  const changed = text.replace(/(new URL\("\.[^"]+)\.ts", import\.meta\.url\)/g, '$1.js", import.meta.url)')
  const left = /["'`]\.{1,2}\/[\w./-]+\.ts["'`]/.exec(changed)
  if (left !== null)
    fail(`${path} names ${left[0]} in a way that is not in the header of the build: change one of them`)
  return changed
}

const copy = (path: string, to = path): void => cpSync(join(root, path), join(dist, to), { recursive: true })

rmSync(dist, { recursive: true, force: true })
mkdirSync(dist)
compile("--project", "supervisors/package")
for (const path of globSync("**/*.js", { cwd: dist })) edit(path, withEndings(path))
copy("actors/platform/cell-orphan-watch.mjs")
// npm puts it into PATH, or a link does.
edit("supervisors/main.js", (text) => `#!/usr/bin/env node\n${text}`)
chmodSync(join(dist, "supervisors/main.js"), 0o755)

const page = "supervisors/console/page"
compile(
  "--project",
  page,
  "--noEmit",
  "false",
  "--rewriteRelativeImportExtensions",
  "--outDir",
  `dist/${page}`
)
for (const path of globSync(`${page}/*.{html,css,svg}`, { cwd: root })) copy(path)
edit(`${page}/page.html`, (text) => text.replaceAll(/(src="[^"]+)\.ts"/g, '$1.js"'))

copy("nix/systemd", "systemd")

// The nearest one to every module of ours: for its imports, for the version, and for npm ci, which installs here what
// is tried in the checkout. (npm install of a tarball reads no lock inside of it.)
const { dependencies, engines, name, type, version } = manifest
const imports = Object.fromEntries(
  ["protocols", "actors", "supervisors"].map((room) => [`#${room}/*.ts`, `./${room}/*.js`])
)
const inside = { name, version, private: true, type, engines, dependencies, imports }
const write = (path: string, value: unknown): void =>
  writeFileSync(join(dist, path), `${JSON.stringify(value, undefined, 2)}\n`)
write("package.json", inside)
write("npm-shrinkwrap.json", shrinkwrapOf(lock, { name, version, engines, dependencies }))
