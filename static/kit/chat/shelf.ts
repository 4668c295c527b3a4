// Files that were chosen and are not yet sent, kept on this device: neither a cut network nor a reload loses one.
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { FileKind } from './files'

export interface Chosen {
  /** The message it will be; made when it was chosen, so that however often it is tried it is said once. */
  m: string
  /** The upload's, for the same reason. */
  requestId: string
  uid: string
  shop: string
  kind: FileKind
  file: Blob
  name: string
  ts: number
  w?: number
  h?: number
  ms?: number
  /** A frame of a film. */
  poster?: Blob
}

interface Store extends DBSchema {
  chosen: { key: string; value: Chosen; indexes: { uid: string } }
}

export class Shelf {
  private readonly memory = new Map<string, Chosen>()
  private readonly db: Promise<IDBPDatabase<Store> | null>

  constructor(name = 'octshop-files') {
    this.db = openDB<Store>(name, 1, {
      upgrade(db) {
        db.createObjectStore('chosen', { keyPath: 'm' }).createIndex('uid', 'uid')
      },
    }).catch(() => null)
  }

  /** Everything one person has not yet sent to one shop, oldest first. */
  async of(uid: string, shop: string): Promise<Chosen[]> {
    return (await this.held(uid)).filter((one) => one.shop === shop).sort((a, b) => (a.m < b.m ? -1 : 1))
  }

  /** The guest has turned out to be a member. */
  async adopt(from: string, to: string): Promise<void> {
    for (const one of await this.held(from)) await this.put({ ...one, uid: to })
  }

  /** This person has left the device. */
  async forget(uid: string): Promise<void> {
    for (const one of await this.held(uid)) await this.remove(one.m)
  }

  /** How many files one person has not yet sent. */
  async count(uid: string): Promise<number> {
    return (await this.held(uid)).length
  }

  private async held(uid: string): Promise<Chosen[]> {
    const db = await this.db
    return db ? db.getAllFromIndex('chosen', 'uid', uid) : [...this.memory.values()].filter((one) => one.uid === uid)
  }

  /** A device that has no room for it keeps it in memory: it is sent all the same, but does not survive a reload. */
  async put(one: Chosen): Promise<void> {
    const db = await this.db
    try {
      if (db) await db.put('chosen', one)
      else this.memory.set(one.m, one)
    } catch {
      this.memory.set(one.m, one)
    }
  }

  async remove(m: string): Promise<void> {
    this.memory.delete(m)
    await (await this.db)?.delete('chosen', m)
  }
}
