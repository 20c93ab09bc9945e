/** Runs the benchmarks whose file name starts with a word, or all: `npm run bench [name [scale]]`. */
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { basename, join } from "node:path"

const [name = "", ...rest] = process.argv.slice(2)
const root = join(import.meta.dirname, "../..")
const found = globSync("{protocols,actors,supervisors,chaos}/**/*.bench.ts", { cwd: root }).toSorted()
const chosen = found.filter((file) => basename(file).startsWith(name))

if (chosen.length === 0) {
  const names = found.map((file) => basename(file, ".bench.ts")).join(", ")
  console.error(`there is no benchmark named ${name}; choose one of ${names}`)
  process.exit(2)
}
for (const file of chosen) {
  console.log(`# ${file}`)
  const { status } = spawnSync(process.execPath, ["--expose-gc", join(root, file), ...rest], {
    stdio: "inherit"
  })
  if (status !== 0) process.exit(1)
}
