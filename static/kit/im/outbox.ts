// Messages on their way, kept on this device so that neither a reload nor a dead battery loses one.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Unsent } from './types'

interface Store extends DBSchema {
  unsent: { key: string; value: Unsent; indexes: { uid: string } }
}

export class Outbox {
  /** Where the browser gives no database (private windows of some), memory must do. */
  private readonly memory = new Map<string, Unsent>()
  private readonly db: Promise<IDBPDatabase<Store> | null>

  /** Whether what is put here lies on the device, where other tabs find it. */
  readonly lasts: Promise<boolean>

  constructor(name = 'octshop-im') {
    this.db = openDB<Store>(name, 1, {
      upgrade(db) {
        db.createObjectStore('unsent', { keyPath: 'm' }).createIndex('uid', 'uid')
      },
    }).catch(() => null)
    this.lasts = this.db.then((db) => db !== null)
  }

  /** Everything one person has not yet sent from this device, oldest first. */
  async of(uid: string): Promise<Unsent[]> {
    const db = await this.db
    const found = db ? await db.getAllFromIndex('unsent', 'uid', uid) : [...this.memory.values()].filter((u) => u.uid === uid)
    return found.sort((a, b) => (a.m < b.m ? -1 : 1))
  }

  /** What one person had not sent is another's now: the guest has turned out to be a member. */
  async adopt(from: string, to: string): Promise<void> {
    for (const unsent of await this.of(from)) await this.put({ ...unsent, uid: to })
  }

  /** This person has left the device. */
  async forget(uid: string): Promise<void> {
    for (const unsent of await this.of(uid)) await this.remove(unsent.m)
  }

  async put(unsent: Unsent): Promise<void> {
    const db = await this.db
    if (!db) return void this.memory.set(unsent.m, unsent)
    // On the disk, not merely on its way there: a battery may die.
    const work = db.transaction('unsent', 'readwrite', { durability: 'strict' })
    await Promise.all([work.store.put({ ...unsent, b: { ...unsent.b } }), work.done])
  }

  async remove(m: string): Promise<void> {
    const db = await this.db
    if (db) await db.delete('unsent', m)
    else this.memory.delete(m)
  }
}
