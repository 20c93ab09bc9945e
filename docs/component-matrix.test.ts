/** The matrix names every system, and every command in it and on the other pages is one that there is. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import test from "ava"
import { Schema } from "effect"
import { scenarioNamed } from "#chaos/scenarios/catalogue.ts"

const root = join(import.meta.dirname, "..")
const textOf = (page: string): string => readFileSync(join(root, page), "utf8")
const pages = ["README.md", ...globSync("{docs,chaos,nix}/**/*.md", { cwd: root })]

const { scripts } = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Struct({ scripts: Schema.Record({ key: Schema.String, value: Schema.String }) }))
)(textOf("package.json"))
const sources = globSync("{protocols,actors,supervisors,chaos,docs}/**/*.ts", { cwd: root })
const benchmarks = sources.filter((file) => file.endsWith(".bench.ts")).map((file) => basename(file))

/** Cells of a table, row by row. */
const rowsOf = (page: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...textOf(page).matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) => row.split("|").map((cell) => cell.trim()))

/** What a page has in backquotes or in fences, a command each. */
const commandsOf = (page: string): ReadonlyArray<string> => {
  const fenced = [...textOf(page).matchAll(/^```(?:sh|)\n(.*?)^```$/gms)].flatMap(([, body = ""]) =>
    body.split("\n")
  )
  const quoted = [...textOf(page).matchAll(/`([^`\n]+)`/g)].map(([, command = ""]) => command)
  return [...fenced, ...quoted].map((line) => line.replace(/ +#.*$/, "").trim())
}

/** What is wrong with a command; commands of other programs are theirs. */
const objection = (command: string): string | undefined => {
  const words = command.split(/ +/).filter((word) => !/^[A-Z_]+=/.test(word))
  const [program = "", first = "", ...rest] = words
  if (program === "npm") {
    if (["start", "test"].includes(first)) return scripts[first] === undefined ? "no such script" : undefined
    if (first !== "run") return undefined
    const [script = "", ...args] = rest
    if (scripts[script] === undefined) return "no such script"
    if (script === "bench") return noBenchmark(args)
    return script === "chaos" ? noScenario(args) : undefined
  }
  if (program === "npx" && first === "ava") {
    const files = rest.filter((word) => /\//.test(word) && !word.startsWith("-"))
    const empty = files.find((file) => !sources.some((source) => isTestIn(source, file)))
    return empty === undefined ? undefined : `no test in ${empty}`
  }
  if (program === "node" && /\.[cm]?[jt]s$/.test(first)) {
    return existsSync(join(root, first)) ? undefined : "no such file"
  }
  return undefined
}

const isTestIn = (source: string, path: string): boolean =>
  source.endsWith(".test.ts") && (source === path || source.startsWith(`${path}/`))

const noBenchmark = ([name]: ReadonlyArray<string>): string | undefined =>
  name === undefined || name.startsWith("[") || benchmarks.some((file) => file.startsWith(name))
    ? undefined
    : "no such benchmark"

const noScenario = (args: ReadonlyArray<string>): string | undefined => {
  const [, command, name = ""] = args
  if (command !== "run" || name === "all" || !/^[a-z-]+$/.test(name)) return undefined
  return scenarioNamed(name) === undefined ? "no such scenario" : undefined
}

// As the mission has them.
// biome-ignore format: a list to be read at a glance
const systems = [
  "chainfire", "flaredb", "iam", "prismnet", "flashdns", "fiberlb", "plasmavmc", "coronafs", "lightningstor",
  "k8shost", "apigateway", "nightlight", "creditservice", "deployer", "fleet-scheduler", "nix-agent", "node-agent",
  "Nix and bootstrap", "flare data nodes", "flare index", "flare operator", "drain planner", "substrate",
  "proof lanes", "chaos suite"
]

test("the matrix has every system once, and says how it is", (t) => {
  const rows = rowsOf("docs/component-matrix.md").filter(([, , state = ""]) =>
    /^(works|partly|not yet)$/.test(state)
  )
  t.deepEqual(rows.map(([name]) => name).toSorted(), systems.toSorted())
  for (const [name, , state, shown = ""] of rows) {
    if (state === "works") t.regex(shown, /`np[mx] /, `${name} works: by which command does one see that?`)
    if (state === "partly") t.regex(shown, /not yet:/, `${name} works partly: what is missing?`)
  }
})

test("every component that there is has its page in the index, and is in the matrix", (t) => {
  const index = textOf("docs/components/README.md")
  const isFoundation = /^actors\/(kernel|platform|cluster|raft|demonstration)\//
  const folders = new Set(
    sources
      .filter((file) => /^actors\/[^/]+\//.test(file) && !isFoundation.test(file))
      .map((file) => file.split("/")[1] ?? "")
  )
  for (const name of folders) {
    t.true(index.includes(`[${name}](${name}.md)`), name)
    t.true(systems.includes(name), name)
  }
})

test("every command of ours that a page prints exists", (t) => {
  const wrong = pages.flatMap((page) =>
    commandsOf(page).flatMap((command) => {
      const what = objection(command)
      return what === undefined ? [] : [`${page}: ${command}: ${what}`]
    })
  )
  t.deepEqual(wrong, [])
})

test("every link of a page leads to a file, and to a heading where it names one", (t) => {
  const broken = pages.flatMap((page) => {
    const links = [...textOf(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link = ""]) => link)
    return links.filter((link) => !leads(page, link)).map((link) => `${page}: ${link}`)
  })
  t.deepEqual(broken, [])
})

const leads = (page: string, link: string): boolean => {
  const [path = "", anchor] = link.split("#")
  const target = path === "" ? page : join(dirname(page), path)
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchorsOf(target).has(anchor)
}

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set(
    [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-")
    )
  )

test("every page of docs/ is on its map", (t) => {
  const map = textOf("docs/README.md")
  const missing = globSync("*.md", { cwd: join(root, "docs") }).filter(
    (page) => page !== "README.md" && !map.includes(`(${page})`)
  )
  t.deepEqual(missing, [])
})
