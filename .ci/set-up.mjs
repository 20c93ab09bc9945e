// Makes a fresh clone ready: installs what package-lock.json pins, unless that is there already.
// Plain JavaScript on purpose: it runs on whatever Node the machine has, before the pinned one is there.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))
const marker = `${root}node_modules/.installed`
const wanted = createHash("sha256")
  .update(readFileSync(`${root}package-lock.json`))
  .digest("hex")
const installed = existsSync(marker) ? readFileSync(marker, "utf8") : ""

if (installed !== wanted) {
  process.stderr.write("installing what package-lock.json pins (once, about half a minute)\n")
  const { status, error } = spawnSync("npm", ["ci", "--no-fund", "--no-audit", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"]
  })
  if (status !== 0) {
    process.stderr.write(
      `npm ci failed (${error?.message ?? `exit code ${status}`}): see above, then run it again\n`
    )
    process.exit(1)
  }
  writeFileSync(marker, wanted)
}
