/** What an operator agrees to is what the dialog shows, however slowly and in whatever order the node answers. */
import test from "ava"
import type { Page, Route } from "playwright-core"
import { isBrowserInstalled } from "./fixtures/browser.ts"
import { sharedConsole } from "./fixtures/shared-console.ts"
import type { ActBody } from "./page/wire.ts"

/** One after the other: they change one node. */
const acting = isBrowserInstalled ? test.serial : test.skip

const { looking } = sharedConsole(test, { nodes: 1, shop: true })

const store = "actor/node01/shop/store"
const goTo = (page: Page, hash: string) => page.goto(`${page.url().split("#")[0]}#/${hash}`)

/** Keeps what the page asks its node to do, until it is let go. */
const holding = async (page: Page, isHeld: (body: ActBody) => boolean) => {
  const held: Array<Route> = []
  const confirmed: Array<ActBody["fields"]> = []
  let holds = true
  await page.route("**/api/act", async (route) => {
    const body: ActBody = route.request().postDataJSON()
    if (body.confirmed) confirmed.push(body.fields)
    if (holds && isHeld(body)) held.push(route)
    else await route.continue()
  })
  const letGo = async () => {
    for (let tries = 0; held.length === 0 && tries < 500; tries++) await page.waitForTimeout(20)
    holds = false
    await Promise.all(held.splice(0).map((route) => route.continue()))
  }
  return { confirmed, letGo }
}

acting(
  "nothing is agreed to under the text of other values: the first press shows what is new",
  async (t) => {
    await looking(t, async ({ page }) => {
      await goTo(page, store)
      const late = await holding(page, ({ fields }) => fields["for"] === "7m")
      await page.getByRole("button", { name: "Suspend", exact: true }).click()
      const dialog = page.getByRole("dialog")
      const says = dialog.locator(".says")
      const span = dialog.getByLabel("for", { exact: true })
      await says.filter({ hasText: "handles nothing for" }).waitFor()

      // The answer about what was written first comes last.
      const asked = page.waitForRequest((request) => (request.postDataJSON()?.fields?.for ?? "") === "7m")
      await span.fill("7m")
      const request = await asked
      await span.fill("9m")
      await says.filter({ hasText: /for 9/ }).waitFor()
      await late.letGo()
      await (await request.response())?.finished()
      t.regex((await says.textContent()) ?? "", /for 9/)

      // What is said about other values does not stay where these have none.
      await span.fill("long")
      await page.locator(".says:empty").waitFor({ state: "attached" })

      await page.unroute("**/api/act")
      const slow = await holding(page, ({ fields }) => fields["for"] === "3m")
      await span.fill("3m")
      await dialog.getByRole("button", { name: "Suspend" }).click()
      await slow.letGo()
      await says.filter({ hasText: /for 3/ }).waitFor()
      t.deepEqual(slow.confirmed, [])
      await dialog.getByRole("button", { name: "Suspend" }).click()
      await dialog.waitFor({ state: "detached" })
      t.deepEqual(slow.confirmed, [{ path: "/node01/shop/store", for: "3m" }])
    })
  }
)

acting("while it is being done there is no way out of the dialog: what became of it is seen", async (t) => {
  await looking(t, async ({ page }) => {
    await goTo(page, store)
    const { letGo } = await holding(page, ({ confirmed }) => confirmed)
    await page.getByRole("button", { name: "Resume", exact: true }).click()
    const dialog = page.getByRole("dialog")
    await dialog.getByLabel("Why").fill("it was a drill")
    await dialog.getByRole("button", { name: "Resume" }).click()
    await dialog.getByText("It is being done…").waitFor()
    t.true(await dialog.getByRole("button", { name: "Cancel" }).isDisabled())
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    t.true(await dialog.isVisible())
    await letGo()
    await page.getByText("/node01/shop/store goes on").waitFor()
    await dialog.waitFor({ state: "detached" })

    // Before and after it there is.
    await page.getByRole("button", { name: "Restart", exact: true }).click()
    await dialog.waitFor()
    await page.keyboard.press("Escape")
    await dialog.waitFor({ state: "detached" })
  })
})

acting("a message of which the node does not say what it does is not sent from the page", async (t) => {
  await looking(t, async ({ page }) => {
    await goTo(page, store)
    const refusal = { outcome: "refused", message: "the node is busy" }
    await page.route("**/api/act", (route) => route.fulfill({ json: refusal }))
    await page.getByRole("button", { name: "Write", exact: true }).click()
    await page.getByText("the node is busy").waitFor()
    t.is(await page.getByRole("dialog").count(), 0)
  })
})
