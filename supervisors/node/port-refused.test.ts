import test from "ava"
import { ListenFailed } from "#protocols/links.ts"
import { portRefused } from "./port-refused.ts"

const ports = { name: "node02", port: 7710, clientPort: 2389, consolePort: 7781 }
const said = (port: number, given: { readonly healthPort?: number } = {}, reason = "the port is in use") => {
  const options = { ...ports, ...given, config: { file: "west.yaml", digest: "" } }
  return portRefused(new ListenFailed({ address: `10.0.0.2:${port}`, reason }), options).message
}

test("a port that is in use is named, with who may have it, and the key that says another", (t) => {
  t.is(
    said(7710),
    "cannot listen on 10.0.0.2:7710: the port is in use; another node of this machine may have it, or what `ss -ltnp sport = :7710` names: stop that, or give node02 another port as its links in west.yaml"
  )
  t.regex(said(2389), /give node02 another port as its etcd in west\.yaml$/)
  t.regex(said(9100, { healthPort: 9100 }), /another port as its health\.port in west\.yaml$/)
  t.regex(said(7791), /as its health\.port, which is ten above console where nobody says it in west\.yaml$/)
})

test("a port that cannot be had at all is nobody's", (t) => {
  t.is(
    said(80, { healthPort: 80 }, "listen EACCES: permission denied 10.0.0.2:80"),
    "cannot listen on 10.0.0.2:80: listen EACCES: permission denied 10.0.0.2:80; give node02 another port as its health.port in west.yaml"
  )
})

test("a host that is not this machine is named, rather than the port", (t) => {
  t.is(
    said(7710, {}, "EADDRNOTAVAIL"),
    "cannot listen on 10.0.0.2:7710: EADDRNOTAVAIL; give node02 a name or an address of this machine as its host in west.yaml"
  )
  t.regex(said(2389, {}, "ENOTFOUND"), /of this machine as its host in west\.yaml$/)
  const reason = "listen EADDRNOTAVAIL: address not available 10.0.0.2:7791"
  t.regex(said(7791, {}, reason), /of this machine as its health\.host in west\.yaml$/)
})

test("a certificate that is not good is named, rather than the port", (t) => {
  for (const reason of ["the certificate or its key is not good", "ERR_OSSL_X509_KEY_VALUES_MISMATCH"]) {
    t.is(
      said(7710, {}, reason),
      `cannot listen on 10.0.0.2:7710: ${reason}; give node02 a certificate and a key that belong together as its tls in west.yaml`
    )
  }
})

test("a port beyond the last one is answered with another port", (t) => {
  const reason = "the last port there is, is 65535"
  t.regex(said(7791, {}, reason), /another port as its health\.port, which is ten above console/)
})

test("a node without a cluster file is told how to come by one", (t) => {
  const { message } = portRefused(
    new ListenFailed({ address: "127.0.0.1:7791", reason: "the port is in use" }),
    ports
  )
  t.regex(message, /describe node02 in a cluster file .*cluster render --profile single-node-dev/)
})
