/**
 * A line as the shell reads it: words with spaces between them. Pure.
 *
 *   'taken as it is'     up to the next quote
 *   "with \" and \\"     a backslash takes what is behind it as it is
 *   {"key": [1, 2]}      a word that begins with a bracket goes on to the bracket that closes it, texts of JSON included
 */
import { Either } from "effect"

export interface Word {
  readonly text: string
  /** Where it is in the line; `end` is behind its last character. */
  readonly start: number
  readonly end: number
}

export interface LineProblem {
  readonly problem: string
  readonly at: number
  /** The words before, and the one that has no end as far as it goes. */
  readonly words: ReadonlyArray<Word>
}

export const wordsOf = (line: string): Either.Either<ReadonlyArray<Word>, LineProblem> => {
  const words: Array<Word> = []
  let at = 0
  while (at < line.length) {
    if (isSpace(line[at])) {
      at++
      continue
    }
    const read = readWord(line, at)
    words.push({ text: read.text, start: at, end: read.end })
    if (read.problem !== undefined) return Either.left({ problem: read.problem, at, words })
    at = read.end
  }
  return Either.right(words)
}

/** So that it is read as one word again. */
export const quoted = (text: string): string =>
  /^[\w/.:=@,%+*~-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`

interface Read {
  readonly text: string
  readonly end: number
  readonly problem?: string
}

const readWord = (line: string, start: number): Read =>
  line[start] === "{" || line[start] === "[" ? readJson(line, start) : readPlain(line, start)

const readPlain = (line: string, start: number): Read => {
  let text = ""
  let at = start
  while (at < line.length && !isSpace(line[at])) {
    const character = line[at]
    if (character !== '"' && character !== "'") {
      text += character
      at++
      continue
    }
    const inside = readQuoted(line, at)
    text += inside.text
    at = inside.end
    if (inside.problem !== undefined) return { text, end: at, problem: inside.problem }
  }
  return { text, end: at }
}

const readQuoted = (line: string, start: number): Read => {
  const quote = line[start]
  let text = ""
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === quote) return { text, end: at + 1 }
    if (quote === '"' && line[at] === "\\" && at + 1 < line.length) at++
    text += line[at]
  }
  return { text, end: line.length, problem: "this quote is not closed" }
}

const closing: Readonly<Record<string, string>> = { "{": "}", "[": "]" }

const readJson = (line: string, start: number): Read => {
  const open: Array<string> = []
  for (let at = start; at < line.length; at++) {
    const character = line[at] ?? ""
    if (character === '"') at = endOfJsonText(line, at)
    else if (character in closing) open.push(closing[character] ?? "")
    else if (character === "}" || character === "]") {
      if (open.pop() !== character)
        return { text: line.slice(start), end: line.length, problem: `this ${character} closes nothing` }
      if (open.length === 0) return { text: line.slice(start, at + 1), end: at + 1 }
    }
  }
  return {
    text: line.slice(start),
    end: line.length,
    problem: `a ${open.at(-1) ?? "quote"} is missing at its end`
  }
}

/** Of its closing quote, or behind the line. */
const endOfJsonText = (line: string, start: number): number => {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === "\\") at++
    else if (line[at] === '"') return at
  }
  return line.length
}

const isSpace = (character: string | undefined): boolean =>
  character === " " || character === "\t" || character === "\n"
