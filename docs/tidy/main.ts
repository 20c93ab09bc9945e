/** Prints what tidy objects to in this repository: `npm run tidy`. */
import { repository } from "./repository.ts"
import { tidy } from "./tidy.ts"

const sources = repository()
const problems = tidy(sources)
for (const problem of problems) console.log(problem)
console.log(`tidy: ${sources.length} files, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
