/** A small curve of the last rates. */

import { historyMax } from "./cluster-model.ts"
import { s } from "./dom.ts"
import { rate } from "./figures.ts"

const width = 300
const height = 44

export const spark = (values: ReadonlyArray<number>): SVGElement => {
  const top = Math.max(1, ...values)
  const step = width / (historyMax - 1)
  const left = width - Math.max(0, values.length - 1) * step
  const points = values.map(
    (value, index) =>
      `${(left + index * step).toFixed(1)},${(height - 3 - (value / top) * (height - 8)).toFixed(1)}`
  )
  const label = `up to ${rate(top)} messages a second in the last samples`
  return s(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": label
    },
    points.length > 1 &&
      s("polygon", { points: `${left.toFixed(1)},${height} ${points.join(" ")} ${width},${height}` }),
    points.length > 1 && s("polyline", { points: points.join(" ") })
  )
}
