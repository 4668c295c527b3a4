// The payment channels by name and by colour.
import { say } from '@kit/i18n'

const KNOWN = new Set(['wechat', 'alipay', 'unionpay'])

export function channelName(channel: string | null | undefined): string {
  return KNOWN.has(channel ?? '') ? say(`channel.${channel}`) : say('channel.other')
}

const COLOURS: Record<string, string> = { wechat: '#07a24f', alipay: '#1677ff', unionpay: '#c0202d' }

export function channelColour(channel: string | null | undefined): string {
  return COLOURS[channel ?? ''] ?? '#5c6570'
}
