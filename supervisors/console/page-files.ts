/**
 * What a browser loads: the page, its style and its modules, as they lie in page/. Types are taken out of the modules
 * when they are first asked for; blanks take their place, so what the browser's debugger shows is the source. What is
 * installed as a package has none left.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export interface PageFile {
  readonly type: string
  readonly body: Buffer
  readonly tag: string
}

const folder = fileURLToPath(new URL("page/", import.meta.url))

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  ts: "text/javascript; charset=utf-8",
  js: "text/javascript; charset=utf-8"
}

const loaded = new Map<string, PageFile>()
let names: ReadonlySet<string> | undefined

/** Of that path, if there is one: `/` is the page itself. Only what lies in the folder can be asked for. */
export const pageFile = (path: string): PageFile | undefined => {
  const name = path === "/" ? "page.html" : path.startsWith("/page/") ? path.slice("/page/".length) : ""
  names ??= new Set(readdirSync(folder).filter((each) => types[each.split(".").at(-1) ?? ""] !== undefined))
  if (!names.has(name)) return undefined
  let file = loaded.get(name)
  if (file === undefined) {
    file = load(name)
    loaded.set(name, file)
  }
  return file
}

const load = (name: string): PageFile => {
  const ending = name.split(".").at(-1) ?? ""
  const text = readFileSync(join(folder, name), "utf8")
  const body = Buffer.from(ending === "ts" ? stripTypeScriptTypes(text) : text)
  const tag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
  return { type: types[ending] ?? "text/plain", body, tag }
}
