/** How a report looks, light and dark, and the script that zooms into its plots. Both go into the page itself. */
export const style = `
:root { color-scheme: light dark;
  --paper: light-dark(#fbfbfa, #16181c); --card: light-dark(#fff, #1d2026); --ink: light-dark(#1c2024, #e6e8eb);
  --soft: light-dark(#667079, #98a2ad); --edge: light-dark(#e3e5e8, #30353d); --shade: light-dark(#f3e3d3, #3a2c20);
  --ok: light-dark(#2f8f6b, #4cc38a); --failed: light-dark(#c98a1b, #e3b04b); --unknown: light-dark(#8a7fb5, #a698d9);
  --bad: light-dark(#d12f3f, #ff5c69); --peace: light-dark(#1f7a55, #6fe0ad); --leads: light-dark(#2f6fd0, #69a2ff); --follows: light-dark(#c3d3ea, #33476a);
  --h0: #d9643a; --h1: #b0487f; --h2: #7d5fc9; --h3: #3f83c4; --h4: #b58a1e; --h5: #4d9a6a; }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 14px/1.5 system-ui, "Segoe UI", sans-serif }
main { max-width: 1280px; margin: 0 auto; padding: 24px 28px 60px }
header { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: baseline; margin-bottom: 4px }
h1 { font-size: 24px; margin: 0; letter-spacing: -.01em } h2 { font-size: 15px; margin: 30px 0 8px }
.badge { font-weight: 650; border-radius: 99px; padding: 1px 12px; color: #fff; background: var(--soft) }
.badge.passed { background: #2f8f6b } .badge.failed { background: #d12f3f } .badge.unknown { background: #7d6fb5 }
.says, .note { color: var(--soft); margin: 2px 0; max-width: 90ch } .reason { color: var(--bad); font-weight: 600; margin: 4px 0 }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 12px 16px; margin: 10px 0 }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); gap: 8px 18px; margin: 0 }
dl.facts div { min-width: 0 } dt { color: var(--soft); font-size: 12px } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
code, pre { font: 12.5px/1.55 ui-monospace, "Cascadia Mono", Menlo, monospace } pre { margin: 4px 0 0; white-space: pre-wrap; overflow-wrap: anywhere }
.command { display: block; background: var(--paper); border: 1px solid var(--edge); border-radius: 6px; padding: 6px 10px; user-select: all }
details.check { border-bottom: 1px solid var(--edge); padding: 5px 0 } details.check:last-child { border: 0 }
summary { cursor: pointer } summary .word { display: inline-block; width: 74px; font-weight: 650 }
.word.passed { color: var(--ok) } .word.failed { color: var(--bad) } .word.unknown { color: var(--unknown) }
.holds { color: var(--soft) } details.check > :not(summary) { margin-left: 92px }
table { border-collapse: collapse; width: 100%; font-size: 13px } th { text-align: left; color: var(--soft); font-weight: 500; font-size: 12px }
th, td { padding: 3px 12px 3px 0; vertical-align: top; border-bottom: 1px solid var(--edge) } th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td.text { overflow-wrap: anywhere } tr:target { background: var(--shade) } a { color: var(--leads) }
.scroll { max-height: 420px; overflow: auto }
.plots { user-select: none; position: relative; cursor: crosshair }
.track { display: grid; grid-template-columns: 118px 1fr; align-items: center; gap: 10px; margin-bottom: 2px }
.track.tall { margin-top: 14px } .label { text-align: right; font-size: 12px; line-height: 1.25; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.track:not(.tall) small { display: inline; margin-left: 6px } .label small { display: block; color: var(--soft); font-size: 11px; white-space: normal } .label small:empty { display: none }
.plot { position: relative; min-width: 0 } .plot svg { display: block; width: 100%; height: 100%; background: var(--paper); border-radius: 3px }
.plot i { position: absolute; left: 4px; font: 10.5px/1 system-ui; color: var(--soft); pointer-events: none; transform: translateY(2px); text-shadow: 0 0 2px var(--paper), 0 0 3px var(--paper) }
.plot i.low { transform: translateY(-100%) } .faults .plot i { color: var(--ink); line-height: 14px; transform: none }
svg * { vector-effect: non-scaling-stroke } .shade { fill: var(--shade); opacity: .55; pointer-events: none }
.moment { stroke: var(--shade); stroke-width: 2; pointer-events: none } .grid { stroke: var(--edge); fill: none }
.peace { stroke: var(--peace); stroke-width: 2; stroke-dasharray: 4 3 } .crash { stroke: var(--bad); stroke-width: 3 }
.fault { fill: var(--c); fill-opacity: .8 } .fault.mark { stroke: var(--c); stroke-width: 4 }
.hue0 { --c: var(--h0) } .hue1 { --c: var(--h1) } .hue2 { --c: var(--h2) } .hue3 { --c: var(--h3) } .hue4 { --c: var(--h4) } .hue5 { --c: var(--h5) }
.leads { fill: var(--leads) } .follows { fill: var(--follows) } .silent { fill: none; stroke: var(--soft); stroke-dasharray: 2 3; opacity: .6 }
.op { stroke-width: 1 } .ok { fill: var(--ok); stroke: var(--ok) } .failed { fill: var(--failed); stroke: var(--failed) }
.op.unknown { fill-opacity: .35 } .unknown { fill: var(--unknown); stroke: var(--unknown) }
.violating { fill: var(--bad); stroke: var(--bad); stroke-width: 3 } .heap { stroke: none; fill-opacity: .75 }
.dot { fill: none; stroke-width: 3; stroke-linecap: round; opacity: .7 } .dot.violating { stroke-width: 8; opacity: 1 }
.ticks { position: relative; height: 16px; font-size: 11px; color: var(--soft) } .ticks b { position: absolute; transform: translateX(-50%); font-weight: 400 }
.brush { position: absolute; top: 0; bottom: 0; background: var(--leads); opacity: .18; pointer-events: none }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12px; color: var(--soft); margin: 0 0 8px 128px }
.key span::before { content: ""; display: inline-block; width: 12px; height: 8px; margin-right: 5px; border-radius: 2px; background: var(--k) }
footer { color: var(--soft); font-size: 12px; margin-top: 30px }
`

/** Without it the page shows the same, at one scale. */
export const script = `
const plots = document.querySelector(".plots")
if (plots) {
  const end = Number(plots.dataset.end), ticks = plots.querySelector(".ticks")
  const pictures = [...plots.querySelectorAll("svg")]
  let from = 0, until = end
  const show = (a, b) => {
    from = Math.max(0, a); until = Math.min(end, Math.max(b, from + 1))
    for (const svg of pictures) {
      const height = svg.viewBox.baseVal.height
      svg.setAttribute("viewBox", from + " 0 " + (until - from) + " " + height)
    }
    const rough = (until - from) / 8, power = 10 ** Math.floor(Math.log10(rough))
    const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)
    const digits = Math.max(0, 3 - Math.floor(Math.log10(step)))
    ticks.replaceChildren()
    for (let at = Math.ceil(from / step) * step; at <= until; at += step) {
      const tick = document.createElement("b")
      tick.style.left = (100 * (at - from)) / (until - from) + "%"
      tick.textContent = (at / 1000).toFixed(digits)
      ticks.append(tick)
    }
  }
  const shareAt = (event) => {
    const { left, width } = ticks.getBoundingClientRect()
    return Math.min(1, Math.max(0, (event.clientX - left) / width))
  }
  let began, brush
  plots.addEventListener("pointerdown", (event) => { if (event.button === 0) began = shareAt(event) })
  addEventListener("pointermove", (event) => {
    if (began === undefined) return
    const now = shareAt(event)
    if (!brush && Math.abs(now - began) > 0.005) {
      brush = plots.appendChild(document.createElement("div"))
      brush.className = "brush"
    }
    if (!brush) return
    const { left, width } = ticks.getBoundingClientRect(), outer = plots.getBoundingClientRect().left
    brush.style.left = left - outer + Math.min(began, now) * width + "px"
    brush.style.width = Math.abs(now - began) * width + "px"
  })
  addEventListener("pointerup", (event) => {
    if (brush) {
      const now = shareAt(event), span = until - from
      show(from + Math.min(began, now) * span, from + Math.max(began, now) * span)
      brush.remove()
    }
    began = brush = undefined
  })
  plots.addEventListener("dblclick", () => show(0, end))
  for (const link of document.querySelectorAll("a[data-at]")) link.addEventListener("click", () => {
    const at = Number(link.dataset.at), around = Math.max(100, Number(link.dataset.took) * 3)
    show(at - around, at + around)
  })
  show(0, end)
}
`
