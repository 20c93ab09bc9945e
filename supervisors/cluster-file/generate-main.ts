/** Writes what is made of the schema of the cluster file: `npm run docs`. */
import { writeFileSync } from "node:fs"
import { generated } from "./generated.ts"

for (const { content, path } of generated()) writeFileSync(new URL(`../../${path}`, import.meta.url), content)
