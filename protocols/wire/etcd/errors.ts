/**
 * How etcd says no: gRPC codes and texts, exactly as etcd 3.4 and 3.5 give them (api/v3rpc/rpctypes/error.go).
 * Clients compare the text, so a letter more or less is another error.
 *
 * Where releases differ, 3.4 is followed. At the JSON gateway the same error is an HTTP status and an
 * object, see `gatewayError`.
 */

/** github.com/grpc/grpc/blob/master/doc/statuscodes.md */
export const GrpcCode = {
  ok: 0,
  canceled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16
} as const

export interface EtcdError {
  readonly code: number
  readonly message: string
}

const error = (code: keyof typeof GrpcCode, text: string): EtcdError => ({
  code: GrpcCode[code],
  message: `etcdserver: ${text}`
})

export const etcdErrors = {
  // Keys and values
  emptyKey: error("invalidArgument", "key is not provided"),
  keyNotFound: error("invalidArgument", "key not found"),
  valueProvided: error("invalidArgument", "value is provided"),
  leaseProvided: error("invalidArgument", "lease is provided"),
  tooManyOps: error("invalidArgument", "too many operations in txn request"),
  duplicateKey: error("invalidArgument", "duplicate key given in txn request"),
  invalidClientApiVersion: error("invalidArgument", "invalid client api version"),
  invalidSortOption: error("invalidArgument", "invalid sort option"),
  compacted: error("outOfRange", "mvcc: required revision has been compacted"),
  futureRevision: error("outOfRange", "mvcc: required revision is a future revision"),
  noSpace: error("resourceExhausted", "mvcc: database space exceeded"),
  requestTooLarge: error("invalidArgument", "request is too large"),
  tooManyRequests: error("resourceExhausted", "too many requests"),
  watchCanceled: error("canceled", "watch canceled"),
  // Leases
  leaseNotFound: error("notFound", "requested lease not found"),
  leaseExists: error("failedPrecondition", "lease already exists"),
  leaseTtlTooLarge: error("outOfRange", "too large lease TTL"),
  leaseTtlZero: error("invalidArgument", "ttl is 0"),
  // Members
  memberExists: error("failedPrecondition", "member ID already exist"),
  peerUrlExists: error("failedPrecondition", "Peer URLs already exists"),
  memberNotEnoughStarted: error(
    "failedPrecondition",
    "re-configuration failed due to not enough started members"
  ),
  memberBadUrls: error("invalidArgument", "given member URLs are invalid"),
  memberNotFound: error("notFound", "member not found"),
  memberNotLearner: error("failedPrecondition", "can only promote a learner member"),
  learnerNotReady: error(
    "failedPrecondition",
    "can only promote a learner member which is in sync with leader"
  ),
  tooManyLearners: error("failedPrecondition", "too many learner members in cluster"),
  // Authentication
  rootUserNotExist: error("failedPrecondition", "root user does not exist"),
  rootRoleNotExist: error("failedPrecondition", "root user does not have root role"),
  userAlreadyExists: error("failedPrecondition", "user name already exists"),
  userEmpty: error("invalidArgument", "user name is empty"),
  userNotFound: error("failedPrecondition", "user name not found"),
  roleAlreadyExists: error("failedPrecondition", "role name already exists"),
  roleNotFound: error("failedPrecondition", "role name not found"),
  roleEmpty: error("invalidArgument", "role name is empty"),
  authFailed: error("invalidArgument", "authentication failed, invalid user ID or password"),
  permissionNotGiven: error("invalidArgument", "permission not given"),
  permissionDenied: error("permissionDenied", "permission denied"),
  roleNotGranted: error("failedPrecondition", "role is not granted to the user"),
  permissionNotGranted: error("failedPrecondition", "permission is not granted to the role"),
  authNotEnabled: error("failedPrecondition", "authentication is not enabled"),
  invalidAuthToken: error("unauthenticated", "invalid auth token"),
  invalidAuthManagement: error("invalidArgument", "invalid auth management"),
  authOldRevision: error("invalidArgument", "revision of auth store is old"),
  /** One of those that etcd does not translate. */
  noPasswordUser: {
    code: GrpcCode.unknown,
    message: "auth: authentication failed, password was given for no password user"
  },
  // The cluster
  noLeader: error("unavailable", "no leader"),
  notLeader: error("failedPrecondition", "not leader"),
  leaderChanged: error("unavailable", "leader changed"),
  notCapable: error("unavailable", "not capable"),
  stopped: error("unavailable", "server stopped"),
  timeout: error("unavailable", "request timed out"),
  timeoutDueToLeaderFail: error("unavailable", "request timed out, possibly due to previous leader failure"),
  timeoutDueToConnectionLost: error("unavailable", "request timed out, possibly due to connection lost"),
  unhealthy: error("unavailable", "unhealthy cluster"),
  corrupt: error("dataLoss", "corrupt cluster"),
  notSupportedForLearner: error("unavailable", "rpc not supported for learner"),
  badLeaderTransferee: error("failedPrecondition", "bad leader transferee"),
  clusterVersionUnavailable: error("unavailable", "cluster version not found during downgrade"),
  wrongDowngradeVersionFormat: error("invalidArgument", "wrong downgrade target version format"),
  invalidDowngradeTargetVersion: error("invalidArgument", "invalid downgrade target version"),
  downgradeInProcess: error("failedPrecondition", "cluster has a downgrade job in progress"),
  noInflightDowngrade: error("failedPrecondition", "no inflight downgrade job")
} as const satisfies Readonly<Record<string, EtcdError>>

/** The same in the words of etcd's auth package. */
const authWords = new Map<EtcdError, string>([
  [etcdErrors.userEmpty, "user name is empty"],
  [etcdErrors.userNotFound, "user not found"],
  [etcdErrors.permissionDenied, "permission denied"],
  [etcdErrors.invalidAuthToken, "invalid auth token"]
])

/** What etcd 3.4 says where it does not translate its own errors, as everywhere in Maintenance. */
export const untranslated = (refused: EtcdError): EtcdError => {
  const words = authWords.get(refused)
  return words === undefined ? refused : { code: GrpcCode.unknown, message: `auth: ${words}` }
}

const codeNames = new Map<number, string>(
  Object.entries(GrpcCode).map(([name, code]) => [code, name.charAt(0).toUpperCase() + name.slice(1)])
)

/** As Go prints an error of gRPC: so it stands in the reason why a watch was canceled. */
export const printedError = ({ code, message }: EtcdError): string =>
  `rpc error: code = ${codeNames.get(code) ?? `Code(${code})`} desc = ${message}`

/** What the grpc-gateway of etcd 3.4 makes of each code: runtime.HTTPStatusFromCode. */
const httpStatuses: ReadonlyArray<number> = [
  200, 408, 500, 400, 504, 404, 409, 403, 429, 412, 409, 400, 501, 500, 503, 500, 401
]

/** As Go calls them. */
const statusTexts: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}

export const httpStatusOf = (code: number): number => httpStatuses[code] ?? 500

export interface GatewayError {
  readonly status: number
  readonly body: { readonly error: string; readonly message: string; readonly code: number }
}

export const gatewayError = ({ code, message }: EtcdError): GatewayError => ({
  status: httpStatusOf(code),
  body: { error: message, message, code }
})

/** The last line of a stream that went wrong. */
export const gatewayStreamError = ({ code, message }: EtcdError) => {
  const status = httpStatusOf(code)
  const http_status = statusTexts[status] ?? ""
  return { error: { grpc_code: code, http_code: status, message, http_status } }
}
