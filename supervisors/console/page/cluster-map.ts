/**
 * The cluster as a drawing: zones as areas, members in them, and a line for each link. What nodes believe of each
 * other is drawn where they differ: a dashed line is a link that somebody tries to make.
 */
import { s } from "./dom.ts"

export interface MemberDrawn {
  readonly name: string
  readonly zone: string
  readonly status: "alive" | "suspect" | "failed" | "left"
  readonly actors: number
  /** What it does for all, such as leading chainfire. */
  readonly marks: ReadonlyArray<string>
}

export interface LinkDrawn {
  readonly from: string
  readonly to: string
  readonly isUp: boolean
}

const width = 760
const height = 330
const radius = 30

interface Place {
  readonly x: number
  readonly y: number
}

export const clusterMap = (
  members: ReadonlyArray<MemberDrawn>,
  links: ReadonlyArray<LinkDrawn>
): SVGElement => {
  const zones = [...new Set(members.map(({ zone }) => zone))].toSorted()
  const places = placesOf(members, zones)
  const words = members.map(({ name, status, zone }) => `${name} in ${zone} is ${status}`).join("; ")
  return s(
    "svg",
    {
      class: "cluster-map",
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      "aria-label": `The cluster: ${words}`
    },
    zones.map((zone, index) => zoneArea(zone, index, zones.length)),
    links.map(({ from, isUp, to }) => {
      const start = places.get(from)
      const end = places.get(to)
      return start === undefined || end === undefined
        ? undefined
        : s("line", { class: isUp ? "link up" : "link", x1: start.x, y1: start.y, x2: end.x, y2: end.y })
    }),
    members.map((member) => {
      const place = places.get(member.name)
      return place === undefined ? undefined : node(member, place)
    })
  )
}

const zoneArea = (zone: string, index: number, count: number): SVGElement => {
  const each = width / count
  return s(
    "g",
    { class: "zone" },
    s("rect", { x: index * each + 6, y: 6, width: each - 12, height: height - 12, rx: 14 }),
    s("text", { x: index * each + 22, y: 30 }, zone)
  )
}

/** In each zone on an arc, so that lines between zones do not cross members. */
const placesOf = (
  members: ReadonlyArray<MemberDrawn>,
  zones: ReadonlyArray<string>
): ReadonlyMap<string, Place> => {
  const places = new Map<string, Place>()
  const each = width / zones.length
  zones.forEach((zone, zoneIndex) => {
    const own = members.filter((member) => member.zone === zone)
    const middle = (zones.length - 1) / 2
    own.forEach(({ name }, index) => {
      const angle = ((index + 0.5) / own.length) * Math.PI * 2
      const spread = own.length === 1 ? 0 : Math.min(each / 2 - 56, 110)
      // Zones bow, so that a line from the first to the last passes below the ones between.
      const bow = zones.length > 2 ? (1 - Math.abs(zoneIndex - middle) / middle) * 120 - 45 : 0
      places.set(name, {
        x: (zoneIndex + 0.5) * each + Math.cos(angle) * spread,
        y: height / 2 - bow + Math.sin(angle) * Math.min(spread, 100)
      })
    })
  })
  return places
}

const node = ({ actors, marks, name, status }: MemberDrawn, { x, y }: Place): SVGElement =>
  s(
    "a",
    { href: `#/actor/${name}`, class: `member ${status}`, "aria-label": `${name}, ${status}` },
    s("circle", { class: "halo", cx: x, cy: y, r: radius + 7 }),
    s("circle", { cx: x, cy: y, r: radius }),
    s("text", { x, y: y + 1, class: "member-count" }, actors > 0 ? String(actors) : "?"),
    s("text", { x, y: y + 14, class: "member-unit" }, "actors"),
    s("text", { x, y: y + radius + 25, class: "member-name" }, name),
    s(
      "text",
      { x, y: y + radius + 41, class: "member-marks" },
      status === "alive" ? marks.join(" · ") : status
    )
  )
