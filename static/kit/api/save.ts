// Hands a file the server made to the person, under the name the server gave it.

/** "attachment; filename="service-day.xlsx"" → "service-day.xlsx". */
function nameOf(answer: Response, otherwise: string): string {
  return /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1] ?? otherwise
}

export async function save(answer: Response, otherwise: string): Promise<void> {
  const url = URL.createObjectURL(await answer.blob())
  const link = document.createElement('a')
  link.href = url
  link.download = nameOf(answer, otherwise)
  link.click()
  // The browser reads it after the click.
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
