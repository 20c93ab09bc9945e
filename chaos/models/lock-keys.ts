/** Which keys of the store a lock of clients is, and what it guards: a value that says under which lock it was written. */

export const lockKey = (lock: number): string => `locks/${lock}`
export const guardedKey = (lock: number): string => `guarded/${lock}`
export const lockName = (lock: number): string => `lock ${lock}`

/** The creation revision of the lock's key fences off everybody who had it before. */
export const guardedValue = (fence: number, what: string): string => `${fence} ${what}`
export const fenceOf = (value: string): number => Number(value.split(" ")[0])
