// What lies on this device in somebody's name is found by how its key begins, and swept.
const STORES = [localStorage, sessionStorage]

/** Everything whose key begins with one of these goes, but what begins with `kept`. */
export function sweep(begins: readonly string[], kept?: string): void {
  for (const store of STORES)
    for (const key of Object.keys(store))
      if (begins.some((one) => key.startsWith(one)) && !(kept && key.startsWith(kept))) store.removeItem(key)
}
