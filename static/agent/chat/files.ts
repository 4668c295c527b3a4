// Where a file of a conversation is read from; how large things are, in words.
export function fileUrl(shopId: string, id: string, small = false): string {
  return `/api/v1/shop/${shopId}/files/${id}${small ? '/thumbnail' : ''}`
}

export function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} KB`
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`
}

/** 75,400 ms → "1:15". */
export function lengthText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
