/** Numbers and times as a person reads them at a glance. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1 })
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

export const count = (value: number): string => whole.format(value)

/** Short enough for a column: 12,345 and 1.2M. */
export const short = (value: number): string =>
  value < 100_000 ? whole.format(value) : compact.format(value)

/** Messages a second. */
export const rate = (value: number): string => {
  if (value === 0) return "0"
  if (value < 0.1) return "<0.1"
  return value < 10 ? fine.format(value) : short(value)
}

export const percent = (share: number): string => {
  if (share === 0) return "0 %"
  if (share < 0.01) return "<1 %"
  return `${Math.round(share * 100)} %`
}

export const duration = (millis: number): string => {
  const seconds = millis / 1_000
  if (seconds < 1) return `${Math.max(0, Math.round(millis))} ms`
  if (seconds < 60) return `${fine.format(seconds)} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`
  return `${Math.floor(seconds / 86_400)} d`
}

const two = (value: number): string => String(value).padStart(2, "0")

/** Of the day, in the time zone of whoever looks. */
export const clock = (atMillis: number): string => {
  const at = new Date(atMillis)
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`
}
