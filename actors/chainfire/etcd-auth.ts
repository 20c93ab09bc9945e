/**
 * The Auth service of etcd v3: users, roles, and tokens for passwords.
 *
 * A password is hashed, or compared with its hash, by the member that is called; what is replicated has no
 * password in it. Whether it was right is decided before the token is asked for: if who may do what has changed
 * in between, it is compared again.
 *
 * AuthStatus is of etcd 3.5; 3.4 does not have it.
 */
import { Either } from "effect"
import type { Unary, UnaryCall } from "#actors/kernel/ports/grpc.ts"
import { type EtcdError, etcdErrors } from "#protocols/wire/etcd/errors.ts"
import { AUTH, type Method } from "#protocols/wire/etcd/methods.ts"
import { type Asker, checkPassword } from "./auth-store.ts"
import { AuthenticateCommand, type Command, encodeCommand } from "./command.ts"
import { type Calls, headerNow, headerOf, unary } from "./etcd-calls.ts"
import type { HeaderAlone } from "./state-machine.ts"

/** Of a token, before its index; as etcd has it. */
const tokenLetters = 16
/** How often a password is compared because users or roles have changed meanwhile. */
const comparisonsMax = 5

export const authCalls = (calls: Calls): Readonly<Record<string, Unary>> => {
  const { endpoint } = calls
  const { auth } = endpoint.member.machine

  /** A change that goes as it comes. */
  const change = <Request extends object>(
    kind: Command["_tag"],
    method: Method<Request, HeaderAlone>
  ): Readonly<Record<string, Unary>> => ({
    [method.path]: unary(method, (_request, call, bytes) => calls.propose(kind, method, bytes, call))
  })

  /** Nobody but root has us hash: it is much work. */
  const withHash = <Request extends object>(
    kind: Command["_tag"],
    method: Method<Request, HeaderAlone>,
    password: string | undefined,
    call: UnaryCall,
    hashed: (hashedPassword: string) => Request
  ): void => {
    const propose = (hash: string): void =>
      calls.propose(kind, method, method.request.encode(hashed(hash)), call)
    if (password === undefined) return propose("")
    const refused = checkPassword(password)
    if (refused !== undefined) return call.fail(refused)
    calls.afterRead(call, () =>
      calls.asRoot(call, () =>
        endpoint.secrets.hash(password, (hash) =>
          Either.isLeft(hash) ? call.fail(etcdErrors.tooManyRequests) : propose(hash.right)
        )
      )
    )
  }

  /** What is there, for whom it may be shown. */
  const look = <Request extends object, Answer extends object>(
    method: Method<Request, Answer>,
    refuses: (asker: Asker | undefined, request: Request) => EtcdError | undefined,
    answer: (request: Request) => Either.Either<Answer, EtcdError>
  ): Readonly<Record<string, Unary>> => ({
    [method.path]: unary(method, (request, call) =>
      calls.afterRead(call, () =>
        calls.permitted(
          call,
          (asker) => refuses(asker, request),
          () =>
            Either.match(answer(request), {
              onLeft: (refused) => call.fail(refused),
              onRight: (found) =>
                call.reply(method.response.encode({ ...found, header: headerNow(endpoint) }))
            })
        )
      )
    )
  })

  const refusesRoot = (asker: Asker | undefined): EtcdError | undefined => auth.refusesRoot(asker)
  /** It is filled in when all is answered. */
  const header = undefined

  return {
    ...change("AuthEnable", AUTH.enable),
    ...change("AuthDisable", AUTH.disable),
    ...change("UserDelete", AUTH.userDelete),
    ...change("UserGrantRole", AUTH.userGrantRole),
    ...change("UserRevokeRole", AUTH.userRevokeRole),
    ...change("RoleAdd", AUTH.roleAdd),
    ...change("RoleDelete", AUTH.roleDelete),
    ...change("RoleGrantPermission", AUTH.roleGrantPermission),
    ...change("RoleRevokePermission", AUTH.roleRevokePermission),

    ...look(AUTH.status, refusesRoot, () =>
      Either.right({ header, enabled: auth.enabled, authRevision: auth.revision })
    ),
    ...look(AUTH.userList, refusesRoot, () => Either.right({ header, users: auth.userNames })),
    ...look(AUTH.roleList, refusesRoot, () => Either.right({ header, roles: auth.roleNames })),
    ...look(
      AUTH.userGet,
      (asker, { name }) => (asker?.user === name ? undefined : auth.refusesRoot(asker)),
      ({ name }) =>
        Either.map(orNot(auth.user(name), etcdErrors.userNotFound), ({ roles }) => ({ header, roles }))
    ),
    ...look(
      AUTH.roleGet,
      (asker, { role }) =>
        asker !== undefined && auth.hasRole(asker.user, role) ? undefined : auth.refusesRoot(asker),
      ({ role }) =>
        Either.map(orNot(auth.role(role), etcdErrors.roleNotFound), ({ keyPermission }) => ({
          header,
          perm: keyPermission
        }))
    ),

    [AUTH.userAdd.path]: unary(AUTH.userAdd, (request, call) => {
      const password = request.options?.noPassword === true ? undefined : request.password
      withHash("UserAdd", AUTH.userAdd, password, call, (hashedPassword) => ({
        ...request,
        password: "",
        hashedPassword
      }))
    }),

    [AUTH.userChangePassword.path]: unary(AUTH.userChangePassword, (request, call) =>
      withHash("UserChangePassword", AUTH.userChangePassword, request.password, call, (hashedPassword) => ({
        ...request,
        password: "",
        hashedPassword
      }))
    ),

    [AUTH.authenticate.path]: unary(AUTH.authenticate, ({ name, password }, call) =>
      authenticate(calls, name, password, call, comparisonsMax)
    )
  }
}

const orNot = <A>(found: A | undefined, missing: EtcdError): Either.Either<A, EtcdError> =>
  found === undefined ? Either.left(missing) : Either.right(found)

const authenticate = (
  calls: Calls,
  name: string,
  password: string,
  call: UnaryCall,
  comparisons: number
): void => {
  const { endpoint } = calls
  const { auth } = endpoint.member.machine
  const tooLong = checkPassword(password)
  if (tooLong !== undefined) return call.fail(tooLong)
  calls.afterRead(call, () => {
    if (!auth.enabled) return call.fail(etcdErrors.authNotEnabled)
    const user = auth.user(name)
    if (user?.options?.noPassword === true) return call.fail(etcdErrors.noPasswordUser)
    const authRevision = auth.revision
    const hash = user && new TextDecoder().decode(user.password)
    endpoint.secrets.fits(password, hash, (fits) => {
      if (Either.isLeft(fits)) return call.fail(etcdErrors.tooManyRequests)
      if (!fits.right) return call.fail(etcdErrors.authFailed)
      const tokenPrefix = endpoint.secrets.letters(tokenLetters)
      const command = AuthenticateCommand.encode({ name, tokenPrefix, authRevision })
      calls.identify(call, (who) => {
        if (Either.isLeft(who)) return call.fail(who.left)
        calls.submit(encodeCommand("Authenticate", command), AUTH.authenticate.response, (outcome) => {
          if (Either.isRight(outcome)) {
            const header = headerOf(endpoint, outcome.right.header?.revision ?? 0)
            return call.reply(AUTH.authenticate.response.encode({ ...outcome.right, header }))
          }
          const changed = outcome.left.message === etcdErrors.authOldRevision.message
          if (changed && comparisons > 1) authenticate(calls, name, password, call, comparisons - 1)
          else call.fail(outcome.left)
        })
      })
    })
  })
}
