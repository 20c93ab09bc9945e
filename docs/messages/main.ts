/** Writes `docs/messages.md`: `npm run docs`. */
import { writeFileSync } from "node:fs"
import { catalogueEntries } from "#protocols/catalogue.ts"
import { messagesPage } from "./page.ts"

writeFileSync(new URL("../messages.md", import.meta.url), messagesPage(catalogueEntries()))
