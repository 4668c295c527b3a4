// The server's shapes by the names pages use. All of them come from static/openapi.json through kit/api/schema.d.ts,
// so a changed answer breaks the build and not the buyer.
import type { components } from './schema'

type Schema = components['schemas']

export type Millis = number

export type BuyerSignedIn = Schema['SignedIn']
export type StaffSignedIn = Schema['StaffSignedIn']
export type Grant = Schema['GrantView']
export type TillRef = Schema['TillView']
export type DeviceSession = Schema['DeviceView']
export type WsTicket = Schema['Ticket']
export type PushKey = Schema['PushKey']
export type PushDeviceView = Schema['PushDeviceView']

export type Picture = Schema['Picture']
export type ShopCard = Schema['ShopCard']
export type Branch = Schema['BranchView']
export type Shop = Schema['ShopPage']
export type ProductCard = Schema['ProductCard']
export type Product = Schema['ProductPage']
export type Sku = Schema['SkuView']
export type Quote = Schema['QuoteView']
export type QuoteLine = Schema['QuoteLineView']
export type Order = Schema['OrderView']
export type OrderLine = Schema['LineView']
export type TimelineStep = Schema['Moment']
export type Campaign = Schema['CampaignView']
export type CampaignPage = Schema['CampaignPage']
export type ShopCampaign = Schema['ShopCampaign']
export type Coupon = Schema['CouponView']
export type CouponOffer = Schema['CouponOffer']
export type MyQuote = Schema['MyQuote']
export type Checkedout = Schema['CheckoutAnswer']
export type PayView = Schema['PayView']

export type Aftersale = Schema['AftersaleView']
export type RefundOffer = Schema['RefundOffer']

export type Voucher = Schema['VoucherView']
export type VoucherCode = Schema['Code']
export type Scan = Schema['Scan']
export type ScannedVoucher = Schema['ScannedVoucher']
export type Redemption = Schema['RedemptionView']

export type Charge = Schema['Charge']
export type ChargeState = Charge['state']
export type Takings = Schema['Takings']
export type AskedCharge = Schema['Asked']
export type BuyerOfShop = Schema['BuyerCard']

export type BuyerCase = Schema['BuyerCase']
export type RatingOf = Schema['RatingOf']
export type OwnMessage = Schema['OwnMessage']
export type Visit = Schema['VisitView']
