/**
 * HTML that cannot be broken by what it shows: whatever is put into a template is escaped, unless it is HTML that
 * was made this way itself.
 *
 *   html`<td>${name}</td>`
 */
export class Markup {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Part = string | number | Markup | ReadonlyArray<Markup>

export const html = (texts: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Markup =>
  new Markup(texts.map((text, index) => text + render(parts[index] ?? "")).join(""))

export const nothing = new Markup("")

const render = (part: Part): string => {
  if (part instanceof Markup) return part.text
  if (typeof part === "string") return escapeText(part)
  if (typeof part === "number") return shortNumber(part)
  return part.map(({ text }) => text).join("")
}

/** Coordinates need no more, and a page has thousands of them. */
const shortNumber = (number: number): string =>
  Number.isFinite(number) ? String(Math.round(number * 100) / 100) : "0"

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** Control characters, and those that turn the direction of what follows, are shown as unreadable. */
const unreadable = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

const escapeText = (text: string): string =>
  text
    .replaceAll(unreadable, (character) => (character === "\n" || character === "\t" ? character : "\ufffd"))
    .replaceAll(/[&<>"']/g, (character) => entities[character] ?? "")
