// The desk's shapes, by the names its parts use.
import type { components } from '@kit/api/schema'

type Schema = components['schemas']
export type CaseView = Schema['CaseView']
export type AgentView = Schema['AgentView']
export type DeskView = Schema['DeskView']
export type CaseState = CaseView['state']
export type AgentStatus = AgentView['status']
export type LeftMessage = Schema['MessageView']
