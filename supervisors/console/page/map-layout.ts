/**
 * The actors of a subtree as cells in a rectangle: a squarified treemap (Bruls, Huizing, van Wijk 2000), in which a
 * supervisor is a frame around its children and every actor without children has the same area.
 */
import type { Actor } from "./cluster-model.ts"

export interface Cell {
  readonly actor: Actor
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** A frame around others, with its name where there is room; otherwise an actor. */
  readonly isFrame: boolean
  readonly hasName: boolean
  readonly depth: number
}

/** About, and rather too much: half a name names nothing. */
const nameWidth = (name: string): number => 12 + name.length * 6.2

interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const nameHeight = 14
const gap = 2
/** Smaller frames draw no name, still smaller ones not even a frame. */
const namedHeight = 34
const framedSide = 14

export const layout = (roots: ReadonlyArray<Actor>, area: Area): ReadonlyArray<Cell> => {
  const cells: Array<Cell> = []
  place(roots, area, 0, cells)
  return cells
}

const place = (actors: ReadonlyArray<Actor>, area: Area, depth: number, cells: Array<Cell>): void => {
  const weighed = actors.map((actor) => ({ actor, weight: leaves(actor) }))
  const isAlike = weighed.every(({ weight }) => weight === weighed[0]?.weight)
  // In the order of the tree where that costs no shape: neighbours stay neighbours.
  const ordered = isAlike ? weighed : weighed.toSorted((one, other) => other.weight - one.weight)
  squarify(ordered, area, (actor, at) => {
    const isFrame = actor.children.length > 0
    const hasName = isFrame && at.height >= namedHeight && at.width >= nameWidth(actor.name)
    cells.push({ actor, ...at, isFrame, hasName, depth })
    if (isFrame) place(actor.children, inside(at, hasName), depth + 1, cells)
  })
}

const inside = ({ height, width, x, y }: Area, hasName: boolean): Area => {
  const edge = Math.min(width, height) >= framedSide ? gap : 0
  const top = hasName ? nameHeight : edge
  return {
    x: x + edge,
    y: y + top,
    width: Math.max(0, width - 2 * edge),
    height: Math.max(0, height - top - edge)
  }
}

/** Supervisors without children take the place of one actor. */
export const leaves = (actor: Actor): number => {
  if (actor.children.length === 0) return 1
  let sum = 0
  for (const child of actor.children) sum += leaves(child)
  return sum
}

interface Weighed {
  readonly actor: Actor
  readonly weight: number
}

/** Rows along the shorter side, each as long as its cells become squarer by it. */
const squarify = (
  items: ReadonlyArray<Weighed>,
  area: Area,
  put: (actor: Actor, area: Area) => void
): void => {
  let { height, width, x, y } = area
  let left = items.reduce((sum, { weight }) => sum + weight, 0)
  let start = 0
  while (start < items.length && left > 0) {
    const side = Math.min(width, height)
    const scale = (width * height) / left
    let end = start
    let sum = 0
    let worst = Number.POSITIVE_INFINITY
    let smallest = Number.POSITIVE_INFINITY
    let largest = 0
    while (end < items.length) {
      const weight = (items[end]?.weight ?? 0) * scale
      const nextSum = sum + weight
      smallest = Math.min(smallest, weight)
      largest = Math.max(largest, weight)
      const ratio = Math.max(
        (side * side * largest) / (nextSum * nextSum),
        (nextSum * nextSum) / (side * side * smallest)
      )
      if (ratio > worst) break
      worst = ratio
      sum = nextSum
      end++
    }
    const thickness = side === 0 ? 0 : sum / side
    let along = 0
    for (let index = start; index < end; index++) {
      const item = items[index]
      if (item === undefined) continue
      const length = thickness === 0 ? 0 : (item.weight * scale) / thickness
      put(
        item.actor,
        width >= height
          ? { x, y: y + along, width: thickness, height: length }
          : { x: x + along, y, width: length, height: thickness }
      )
      along += length
      left -= item.weight
    }
    if (width >= height) {
      x += thickness
      width -= thickness
    } else {
      y += thickness
      height -= thickness
    }
    start = Math.max(end, start + 1)
  }
}

/** The innermost cell at a point. */
export const cellAt = (cells: ReadonlyArray<Cell>, x: number, y: number): Cell | undefined => {
  for (let index = cells.length - 1; index >= 0; index--) {
    const cell = cells[index]
    if (cell === undefined) continue
    if (x >= cell.x && x < cell.x + cell.width && y >= cell.y && y < cell.y + cell.height) return cell
  }
  return undefined
}
