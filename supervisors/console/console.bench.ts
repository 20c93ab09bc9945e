/**
 * Does the page stay smooth with 5,000 actors, of which a quarter do something, while actors crash?
 *
 *   npm run bench console          ten seconds of each, a minute in all
 *   npm run bench console 0.3      shorter
 *
 * A node of its own process, and Chromium without a graphics card. A frame that takes longer than 50 ms is one that a
 * person sees as a stutter, and a task that does is what the browser calls long. On a machine that does other work these
 * are the machine's as much as the page's; so it is also told which share of one processor the page has used.
 */
import type { CDPSession, Page } from "playwright-core"
import { isBrowserInstalled, launch, logIn, visit } from "./fixtures/browser.ts"
import { type ConsoleCluster, withConsoles } from "./fixtures/console-cluster.ts"

const scale = Number(process.argv[2] ?? 1)
const phaseMillis = Math.max(2_000, 10_000 * scale)
const actors = 5_000
const crashesPerSecond = 20

interface Smoothness {
  readonly frames: ReadonlyArray<number>
  readonly longTasks: ReadonlyArray<number>
}

/** In the page: the time between frames, and tasks over 50 ms, for so long; scrolling on with each frame if wanted. */
const observe = ({ millis, scrolls }: { readonly millis: number; readonly scrolls: boolean }) =>
  new Promise<Smoothness>((resolve) => {
    const frames: Array<number> = []
    const longTasks: Array<number> = []
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longTasks.push(duration)
    })
    observer.observe({ type: "longtask" })
    const grid = document.querySelector(".grid")
    const begunMillis = performance.now()
    let last = 0
    let step = 480
    const frame = (now: number) => {
      if (last !== 0) frames.push(now - last)
      last = now
      if (scrolls && grid !== null) {
        if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 4) step = -480
        if (grid.scrollTop <= 0) step = 480
        grid.scrollTop += step
      }
      if (now - begunMillis < millis) return void requestAnimationFrame(frame)
      observer.disconnect()
      resolve({ frames, longTasks })
    }
    requestAnimationFrame(frame)
  })

declare const document: {
  readonly querySelector: (
    selector: string
  ) => { scrollTop: number; readonly clientHeight: number; readonly scrollHeight: number } | null
}
/** The browser's, which knows more kinds than Node's. */
declare const PerformanceObserver: new (
  seen: (list: { readonly getEntries: () => ReadonlyArray<{ readonly duration: number }> }) => void
) => { readonly observe: (of: { readonly type: string }) => void; readonly disconnect: () => void }
declare const requestAnimationFrame: (frame: (now: number) => void) => void

/** What the processes that draw pages have used up. */
const processorSeconds = async (session: CDPSession): Promise<number> => {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo")
  return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { cpuTime }) => sum + cpuTime, 0)
}

/** Crashes workers one after the other until it is stopped. */
const crashing = (cluster: ConsoleCluster): (() => void) => {
  let count = 0
  const timer = setInterval(() => {
    const index = count++ % actors
    const group = String(Math.floor(index / 50) + 1).padStart(3, "0")
    const worker = String((index % 50) + 1).padStart(2, "0")
    const path = `/node01/pool/group-${group}/worker-${worker}`
    const request = { _tag: "InjectCrash", path, reason: "a benchmark" }
    fetch(`${cluster.nodes[0]?.console}/api/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${cluster.token}` },
      body: JSON.stringify({ path: "/node01/cluster/introspection", request })
    }).catch((cause: unknown) => console.error(String(cause)))
  }, 1_000 / crashesPerSecond)
  return () => clearInterval(timer)
}

const measure = async (name: string, page: Page, session: CDPSession, scrolls = false): Promise<void> => {
  const before = await processorSeconds(session)
  const fromMillis = performance.now()
  const { frames, longTasks } = await page.evaluate(observe, { millis: phaseMillis, scrolls })
  const tookSeconds = (performance.now() - fromMillis) / 1_000
  const after = await processorSeconds(session)
  const sorted = frames.toSorted((one, other) => one - other)
  const at = (part: number) => sorted[Math.floor((sorted.length - 1) * part)] ?? 0
  const late = frames.filter((millis) => millis > 50).length
  const ms = (millis: number) => `${millis.toFixed(0)} ms`
  row(
    name,
    (frames.length / tookSeconds).toFixed(0),
    ...[0.5, 0.99, 1].map((part) => ms(at(part))),
    String(late),
    `${longTasks.length}, ${ms(Math.max(0, ...longTasks))} at most`,
    `${(((after - before) / tookSeconds) * 100).toFixed(0)} %`
  )
}

const row = (...cells: ReadonlyArray<string>): void => console.log(`| ${cells.join(" | ")} |`)

const bench = async (): Promise<void> => {
  await withConsoles({ nodes: 1, actors }, async (cluster) => {
    const browser = await launch()
    try {
      await visit(browser, cluster.nodes[0]?.console ?? "", async ({ page }) => {
        await logIn(page, cluster.token)
        await page
          .locator(".tile", { hasText: "Actors" })
          .filter({ hasText: /5,1\d\d/ })
          .waitFor()
        const session = await browser.newBrowserCDPSession()
        const phase = `in ${phaseMillis / 1_000} s`
        row(
          "5,000 actors",
          "frames/s",
          "median",
          "99 %",
          "longest",
          `over 50 ms, ${phase}`,
          `long tasks, ${phase}`,
          "of a processor"
        )
        row(...Array.from({ length: 8 }, () => "---"))
        await measure("looking on", page, session)
        const stop = crashing(cluster)
        try {
          await measure(`${crashesPerSecond} crashes a second`, page, session)
          await measure("the same, scrolling", page, session, true)
          await page.getByRole("button", { name: "Msg/s" }).click()
          await measure("the same, sorted by rate", page, session)
          await page.locator("#search").fill("worker-1")
          await measure("the same, searching", page, session)
          await page.goto(`${page.url().split("#")[0]}#/events`)
          await measure("the same, the page of events", page, session)
        } finally {
          stop()
        }
      })
    } finally {
      await browser.close()
    }
  })
}

if (isBrowserInstalled) await bench()
else console.log("| chromium is not installed: apt-get install chromium |")
