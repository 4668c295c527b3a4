// The shapes that pages use, by the names pages use.

export type Millis = number

export interface BuyerSignedIn {
  person: { id: string; nickname: string; phone_masked: string }
  csrf_token: string
}
export interface TillRef {
  id: string
  name: string
  branch_id: string
}
export interface Grant {
  merchant_id: string
  shop_id: string
  shop_name: string
  branch_id: string | null
  role: string
  rights: string[]
  tills: TillRef[]
}
export interface StaffSignedIn {
  person: { id: string; name: string; nickname?: string; phone_masked?: string }
  csrf_token: string
  grants: Grant[]
}
export interface DeviceSession {
  session_id: string
  device_id: string
  name: string
  ip: string
  created_at: Millis
  seen_at: Millis
  this: boolean
}
export interface WsTicket {
  ticket: string
  expires_at: Millis
}

export interface Picture {
  seed: string
  hue: number
}
export interface ShopCard {
  id: string
  name: string
  certified: boolean
  self_run: boolean
  city: string
  address: string
  distance_m?: number | null
  lng: number
  lat: number
  hours: string
  phone: string
  score: number
  picture: Picture
}
export interface Branch {
  id: string
  name: string
  address: string
  phone: string
  hours: string
  lng: number
  lat: number
  distance_m?: number | null
}
export interface Shop extends ShopCard {
  notice: string
  open: boolean
  branches: Branch[]
}
export interface ProductCard {
  id: string
  shop_id: string
  shop_name: string
  title: string
  subtitle: string
  price_fen: number
  market_price_fen?: number | null
  tags: string[]
  distance_m?: number | null
  sold: number
  picture: Picture
}
export interface Sku {
  id: string
  spec: Record<string, string>
  price_fen: number
  available: number
}
export interface Product extends ProductCard {
  description: string
  specs: { name: string; values: string[] }[]
  skus: Sku[]
  fulfilments: string[]
  voucher: { valid_days: number; uses_each: number }
  refundable: boolean
  on_sale: boolean
  branches: Branch[]
}
export interface QuoteLine {
  sku_id: string
  picture: Picture
  title: string
  spec: Record<string, string>
  quantity: number
  unit_price_fen: number
  list_fen: number
  discount_fen: number
  payable_fen: number
}
export interface Quote {
  lines: QuoteLine[]
  goods_fen: number
  freight_fen: number
  discount_fen: number
  payable_fen: number
  quote_hash: string
}
export interface OrderLine {
  id: string
  product_id: string
  sku_id: string
  title: string
  spec: Record<string, string>
  quantity: number
  unit_price_fen: number
  list_fen: number
  discount_fen: number
  payable_fen: number
  picture: Picture
  uses_total: number
  uses_done: number
}
export interface TimelineStep {
  at: Millis
  text: string
}
export interface Order {
  id: string
  group_id: string
  shop_id: string
  shop_name: string
  state: string
  payment_state: string
  fulfilment_state: string
  label: string
  lines: OrderLine[]
  goods_fen: number
  discount_fen: number
  freight_fen: number
  payable_fen: number
  created_at: Millis
  pay_until: Millis
  paid_at?: Millis | null
  timeline: TimelineStep[]
}
export interface Checkedout {
  group_id: string
  orders: Order[]
  payable_fen: number
}
export interface PayView {
  payment_id: string
  state: 'waiting' | 'paid' | 'closed' | 'unknown'
  amount_fen: number
  code_url?: string | null
  expires_at: Millis
}

export interface Voucher {
  id: string
  order_id: string
  shop_id: string
  shop_name: string
  title: string
  spec: string
  uses_total: number
  uses_left: number
  uses_frozen: number
  valid_from: Millis
  valid_until: Millis
  state: string
  typed_code: string
  branches: string[]
  rev: number
}
export interface VoucherCode {
  digits: string
  svg: string
  expires_at: Millis
  next_at: Millis
}
export interface ScannedVoucher {
  id: string
  title: string
  spec: string
  quantity: number
  uses_left: number
  uses_total: number
  buyer_masked: string
  paid_fen: number
  valid_until: Millis
  state: string
}
export interface Scan {
  kind: string
  voucher?: ScannedVoucher | null
  scan_token?: string | null
}
export interface Redemption {
  id: string
  voucher_id: string
  title: string
  uses: number
  uses_left: number
  used_at: Millis
  by: string
  amount_fen: number
}

export type ChargeState = 'waiting' | 'paying' | 'paid' | 'failed' | 'unknown' | 'closed' | 'reversed'
export interface Charge {
  id: string
  payment_id: string
  state: ChargeState
  amount_fen: number
  channel?: string | null
  code_url?: string | null
  reason?: string | null
  created_at: Millis
  paid_at?: Millis | null
  expires_at: Millis
}
export interface Takings {
  total_fen: number
  count: number
  by_channel: { channel: string; total_fen: number; count: number }[]
  last: Charge[]
}
export interface BuyerOfShop {
  id: string
  nickname: string
  phone_masked: string
  orders_count: number
}
