// Where an agent's files of a shop are kept.
import type { FileDoor } from '@kit/chat/door'
import { api } from '@kit/staff/staff'

const doors = new Map<string, FileDoor>()

export function shopFiles(shopId: string): FileDoor {
  const door = doors.get(shopId) ?? { api: () => api, path: `/shop/${shopId}/files` }
  doors.set(shopId, door)
  return door
}
