/** Who takes part in the rehearsal of a guest; the image has a certificate for each. */
export const names = ["node01", "node02"] as const
