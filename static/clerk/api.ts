// What the clerk page asks the server, in the words of verify's HTTP interface.
import type { Page } from '@kit/api/http'
import type { Redemption, Scan, ScannedVoucher } from '@kit/api/types'
import { api } from '@kit/staff/staff'
import type { Intention } from './flow'

export type { Redemption }
export type Preview = ScannedVoucher

export const look = (shopId: string, text: string): Promise<Scan> => api.post<Scan>(`/shop/${shopId}/scans`, { text })

export function writeOff(shopId: string, intention: Intention, branchId: string | null): Promise<Redemption> {
  const code = intention.scan_token ? { scan_token: intention.scan_token } : { text: intention.text }
  return api.post<Redemption>(`/shop/${shopId}/redemptions`, {
    request_id: intention.request_id,
    ...code,
    uses: intention.uses,
    ...(branchId ? { branch_id: branchId } : {}),
  })
}

export const readPhoto = (shopId: string, photo: Blob): Promise<{ texts: string[] }> => api.post(`/shop/${shopId}/scan-photos`, photo)

export const redemptionsOf = (shopId: string, day: string, cursor: string | null): Promise<Page<Redemption>> =>
  api.get(`/shop/${shopId}/redemptions`, { day, cursor })
