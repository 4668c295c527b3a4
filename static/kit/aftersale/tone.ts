// How a case's state looks: colour never speaks alone, the label stands beside it.
import type { Aftersale } from '@kit/api/types'
import type { Body } from '@kit/im/types'
import type { Tone } from '@kit/touch/StateBlock.vue'

const tones: Record<Aftersale['state'], Tone> = {
  asked: 'waiting', agreed: 'waiting', refunding: 'waiting', refunded: 'ok', failed: 'bad', refused: 'bad', withdrawn: 'queued',
}

export const toneOf = (state: Aftersale['state']): Tone => tones[state]

/** A case as a card of it is sent; the server reads it anew. */
export function cardOf(found: Aftersale): Body {
  const line = found.lines[0]
  return {
    id: found.id,
    title: line?.title ?? found.id,
    price_fen: found.amount_fen,
    ...(line ? { picture: `${line.picture.seed}/${line.picture.hue}` } : {}),
    ev: found.state,
  }
}
