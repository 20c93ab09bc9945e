/** Elements from values. Text is always text: there is no way to bring markup in. */

type Listener = (event: Event) => void
export type Properties = Readonly<Record<string, string | number | boolean | undefined | Listener>>
export type Child = Node | string | number | undefined | false | ReadonlyArray<Child>

/** `onclick: f` listens, `true` sets an attribute without a value, `false` and `undefined` set none. */
export const h = <Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Name] => {
  const element = document.createElement(name)
  put(element, properties)
  append(element, children)
  return element
}

const svgSpace = "http://www.w3.org/2000/svg"

export const s = <Name extends keyof SVGElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: ReadonlyArray<Child>
): SVGElementTagNameMap[Name] => {
  const element = document.createElementNS(svgSpace, name)
  put(element, properties)
  append(element, children)
  return element
}

const put = (element: Element, properties: Properties): void => {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value))
  }
}

const append = (element: Element, children: ReadonlyArray<Child>): void => {
  for (const child of children) {
    if (child === undefined || child === false) continue
    if (typeof child === "object" && !(child instanceof Node)) append(element, child)
    else element.append(typeof child === "number" ? String(child) : child)
  }
}

/** Only where it changes: most of what is redrawn is as it was. */
export const setText = (element: Element, text: string): void => {
  if (element.textContent !== text) element.textContent = text
}

export const setAttribute = (element: Element, name: string, value: string | undefined): void => {
  if (value === undefined) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** Replaces what is inside. Who had the focus there, by its `data-key`, has it again. */
export const replace = (element: Element, ...children: ReadonlyArray<Child>): void => {
  const focused = document.activeElement
  const key = focused !== null && element.contains(focused) ? focused.getAttribute("data-key") : undefined
  element.replaceChildren()
  append(element, children)
  if (key === null || key === undefined) return
  const again = element.querySelector(`[data-key="${CSS.escape(key)}"]`)
  if (again instanceof HTMLElement) again.focus({ preventScroll: true })
}

const icons: Readonly<Record<string, string>> = {
  tree: "M5 3v10a3 3 0 0 0 3 3h3M5 7h6M14 7h5M14 16h5",
  cluster:
    "M12 4.5v4M6 15.5l4-4M18 15.5l-4-4M12 2.5a2 2 0 1 0 0 .01M12 10a2 2 0 1 0 0 .01M5 17a2 2 0 1 0 0 .01M19 17a2 2 0 1 0 0 .01",
  chainfire: "M4 5h16M4 12h16M4 19h16M7 3v4M12 10v4M17 17v4",
  breakers: "M3 12h5M16 12h5M8 12l7-6M16 10v4",
  events: "M4 5h2M9 5h11M4 12h2M9 12h11M4 19h2M9 19h11",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L20 20",
  close: "M6 6l12 12M18 6L6 18",
  restart: "M19 12a7 7 0 1 1-2-5M19 3v5h-5",
  stop: "M7 7h10v10H7z",
  play: "M8 5.5v13l10-6.5z",
  crash: "M13 3L5 14h6l-1 7 8-11h-6z",
  zoom: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  help: "M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 1.9V14M12 17.5v.01",
  theme: "M12 4a8 8 0 1 0 0 16z",
  leave: "M14 4H6v16h8M10 12h10M17 9l3 3-3 3",
  send: "M4 12l16-8-5 16-3-7z",
  chevron: "M9 6l6 6-6 6",
  hold: "M8 5v14M16 5v14"
}

/** Says nothing to who listens: whatever holds it has a name. */
export const icon = (name: string): SVGElement =>
  s(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    s("path", { d: icons[name] ?? "" })
  )

export const button = (
  label: string,
  properties: Properties & { readonly icon?: string; readonly bare?: boolean },
  ...children: ReadonlyArray<Child>
): HTMLButtonElement => {
  const { bare, icon: iconName, ...rest } = properties
  return h(
    "button",
    { type: "button", ...(bare === true && { "aria-label": label, title: label }), ...rest },
    iconName !== undefined && icon(iconName),
    bare === true ? undefined : h("span", {}, label),
    children
  )
}
