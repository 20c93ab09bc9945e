/** What a bundler for browsers finds when it follows the imports of the client. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import test from "ava"

const root = join(import.meta.dirname, "../..")

const importsOf = (path: string): ReadonlyArray<string> =>
  [
    ...readFileSync(join(root, path), "utf8").matchAll(
      /^(?:import (?!type )(?:[^"]*? from )?|export \{[^}]*\} from )"([^"]+)"/gm
    )
  ].map(([, from = ""]) => from)

/** All files of ours that are loaded with this one, and the packages they take. */
const reached = (entry: string) => {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = (path: string): void => {
    if (files.has(path)) return
    files.add(path)
    for (const from of importsOf(path)) {
      if (from.startsWith(".")) visit(join(dirname(path), from))
      else if (from.startsWith("#protocols/")) visit(from.slice(1))
      else packages.add(from)
    }
  }
  visit(entry)
  return { files: [...files], packages: [...packages] }
}

test("the client takes nothing but protocols, effect, msgpackr and socket.io-client", (t) => {
  const { files, packages } = reached("protocols/client/promises.ts")
  t.true(files.length > 15)
  t.deepEqual(
    files.filter((path) => !path.startsWith("protocols/")),
    []
  )
  t.deepEqual(packages.toSorted(), ["effect", "msgpackr", "socket.io-client"])
})

test("nothing of it is of Node alone", (t) => {
  for (const path of reached("protocols/client/promises.ts").files) {
    const text = readFileSync(join(root, path), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
    t.notRegex(text, /\b(process|Buffer|__dirname|setImmediate|require)\b[.(]/, path)
    t.notRegex(text, /"node:/, path)
  }
})
